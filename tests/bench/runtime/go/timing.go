// SPDX-License-Identifier: GPL-2.0-only

// Go: sleeping goroutines, a hog beside a probe, and a scheduler with nothing to do.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func sleepLength(longest time.Duration, each, task, k int) time.Duration {
	x := uint64(task*each+k+1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return longest / 100 * time.Duration(1+(x>>40)%100)
}

func timers(r run) {
	runtime.GOMAXPROCS(1)
	tasks, each, longest := r.scaled(10_000), 10, 100*time.Millisecond
	if r.variant == "100000" {
		tasks, each, longest = r.scaled(100_000), 2, time.Second
	}
	late := make([]lateness, tasks)
	before := cpuSeconds()
	var all sync.WaitGroup
	all.Add(tasks)
	for task := 0; task < tasks; task++ {
		go func(task int) {
			for k := 0; k < each; k++ {
				due := time.Now().Add(sleepLength(longest, each, task, k))
				time.Sleep(time.Until(due))
				late[task].add(due, time.Now())
			}
			all.Done()
		}(task)
	}
	all.Wait()
	cpu := cpuSeconds() - before
	var together lateness
	for _, l := range late {
		together = append(together, l...)
	}
	report("p50", together.percentile(0.5))
	report("p99", together.percentile(0.99))
	report("cpu", cpu*1e6/float64(tasks*each))
}

func hog(r run) {
	runtime.GOMAXPROCS(1)
	safePoints := r.variant != "no-safe-points"
	var over atomic.Bool
	work := newBurn(50 * time.Microsecond)
	go func() {
		for !over.Load() {
			for i := 0; i < 400 && !over.Load(); i++ {
				work.burn()
				if safePoints {
					runtime.Gosched()
				}
			}
			runtime.Gosched()
		}
	}()
	var late lateness
	due := time.Now().Add(time.Millisecond)
	counted := r.scaled(2000)
	for left := counted + 100; left > 0; { // not while threads are still being started
		time.Sleep(time.Until(due))
		for now := time.Now(); !due.After(now) && left > 0; left-- {
			if left <= counted {
				late.add(due, now)
			}
			due = due.Add(time.Millisecond)
		}
	}
	over.Store(true)
	report("p50", late.percentile(0.5))
	report("p99", late.percentile(0.99))
}

func idle(r run) {
	runtime.GOMAXPROCS(2)
	go func() { select {} }()
	time.Sleep(time.Duration(0.5 * r.work * float64(time.Second)))
	before := cpuSeconds()
	time.Sleep(time.Duration(r.work * float64(time.Second)))
	report("cpu", (cpuSeconds()-before)*1e6/r.work)
}

func wake(r run) {
	runtime.GOMAXPROCS(2)
	wakes := r.scaled(1000)
	var woken atomic.Int64
	to := make(chan int, wakes)
	go func() {
		for range to {
			woken.Add(1)
		}
	}()
	for i := 0; i < wakes; i++ {
		// in the kernel, not in Go's scheduler, as a foreign thread; a signal may cut it short
		_ = syscall.Nanosleep(&syscall.Timespec{Nsec: 1_000_000}, nil)
		to <- i
	}
	time.Sleep(10 * time.Millisecond)
	if woken.Load() != int64(wakes) {
		panic("a wake-up is lost")
	}
	report("wakes", float64(wakes))
}
