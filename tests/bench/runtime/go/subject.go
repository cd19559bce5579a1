// SPDX-License-Identifier: GPL-2.0-only

// What subject.hpp, burn.hpp and lateness.hpp are to the subjects in C++.
package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const batch = 1000

type run struct {
	variant string
	work    float64
}

func (r run) scaled(full float64) int { return int(math.Max(1, full*r.work)) }

func (r run) number() int {
	n, err := strconv.Atoi(r.variant)
	if err != nil {
		panic(err)
	}
	return n
}

func report(quantity string, value float64) { fmt.Printf("%s %.6g\n", quantity, value) }

// nanosecondsEach is nanoseconds_each() of subject.hpp.
func nanosecondsEach(r run, granule int, operations func(n int) time.Duration) float64 {
	enough := 0.25 * r.work
	for n := granule; ; {
		seconds := operations(n).Seconds()
		if seconds >= enough {
			return seconds / float64(n) * 1e9
		}
		factor := 10.0
		if seconds > 0 {
			factor = math.Min(10, 1.3*enough/seconds)
		}
		granules := n / granule
		n = granule * int(math.Max(float64(granules+1), float64(granules)*factor))
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

func residentBytes() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	kib := 0.0
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			value, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			kib += value
		}
	}
	return kib * 1024
}

type lateness []float64

func (l *lateness) add(due, done time.Time) {
	*l = append(*l, float64(done.Sub(due).Nanoseconds())/1000)
}

func (l lateness) percentile(p float64) float64 {
	if len(l) == 0 {
		return 0
	}
	sort.Float64s(l)
	return l[int(p*float64(len(l)-1))]
}

// Not inlined: the compiler would drop most of the work of a caller that has no use for the result.
//
//go:noinline
func steps(n int, x uint64) uint64 {
	for ; n > 0; n-- {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

var sink uint64

// A burn is a piece of work of the given length, counted in steps when made.
type burn int

func newBurn(length time.Duration) burn {
	const probe = 100_000
	best := time.Hour
	for i := 0; i < 5; i++ {
		start := time.Now()
		sink = steps(probe, 1)
		if took := time.Since(start); took < best {
			best = took
		}
	}
	return burn(float64(length) / float64(best) * probe)
}

func (b burn) burn() uint64 { return steps(int(b), 1) }

// pin binds the calling goroutine to a thread and that to the index-th of the program's CPUs.
func pin(index int) {
	runtime.LockOSThread()
	var set [16]uint64
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, uintptr(os.Getpid()), 128, uintptr(unsafe.Pointer(&set)))
	var cpus []int
	for cpu := 0; cpu < 1024; cpu++ {
		if set[cpu/64]>>(cpu%64)&1 == 1 {
			cpus = append(cpus, cpu)
		}
	}
	cpu := cpus[index%len(cpus)]
	var one [16]uint64
	one[cpu/64] = 1 << (cpu % 64)
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, 128, uintptr(unsafe.Pointer(&one)))
}
