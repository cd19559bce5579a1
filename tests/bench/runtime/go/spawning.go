// SPDX-License-Identifier: GPL-2.0-only

// Go: goroutines that come and go.
package main

import (
	"math"
	"runtime"
	"sync"
	"time"
)

func spawnJoin(r run) {
	runtime.GOMAXPROCS(r.number())
	report("task", nanosecondsEach(r, batch, func(n int) time.Duration {
		start := time.Now()
		for done := 0; done < n; done += batch {
			var all sync.WaitGroup
			all.Add(batch)
			for i := 0; i < batch; i++ {
				go all.Done()
			}
			all.Wait()
		}
		return time.Since(start)
	}))
}

func fib(n uint) uint64 {
	if n < 2 {
		return uint64(n)
	}
	var left uint64
	var joined sync.WaitGroup
	joined.Add(1)
	go func() { left = fib(n - 1); joined.Done() }()
	right := fib(n - 2)
	joined.Wait()
	return left + right
}

func forkJoin(r run) {
	runtime.GOMAXPROCS(r.number())
	less := math.Log(math.Max(r.work, 1e-5)) / math.Log(0.6180339887)
	n := uint(math.Max(8, 27-math.Max(0, less)))
	start := time.Now()
	result := fib(n)
	took := time.Since(start)
	var value, next, calls, nextCalls uint64 = 0, 1, 1, 1
	for i := uint(0); i < n; i++ {
		value, next = next, value+next
		calls, nextCalls = nextCalls, calls+nextCalls+1
	}
	if result != value {
		panic("fib is wrong")
	}
	report("call", float64(took.Nanoseconds())/float64(calls))
}

func memory(r run) {
	tasks := r.scaled(1e6)
	event := make(chan bool)
	before := residentBytes()
	for i := 0; i < tasks; i++ {
		go func() { <-event }()
	}
	runtime.Gosched()
	time.Sleep(10 * time.Millisecond)
	report("bytes", (residentBytes()-before)/float64(tasks))
}

func scaling(r run) {
	runtime.GOMAXPROCS(r.number())
	tasks := r.scaled(20_000)
	work := newBurn(10 * time.Microsecond)
	start := time.Now()
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() { work.burn(); all.Done() }()
	}
	all.Wait()
	report("task", float64(time.Since(start).Nanoseconds())/float64(tasks))
}
