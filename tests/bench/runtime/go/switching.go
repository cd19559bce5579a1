// SPDX-License-Identifier: GPL-2.0-only

// Go: switching between goroutines.
package main

import (
	"runtime"
	"sync"
	"time"
)

func yield(r run) {
	tasks := r.number()
	runtime.GOMAXPROCS(1)
	report("yield", nanosecondsEach(r, 10_000, func(n int) time.Duration {
		var all sync.WaitGroup
		all.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				for turn := 0; turn < n/tasks; turn++ {
					runtime.Gosched()
				}
				all.Done()
			}()
		}
		start := time.Now()
		all.Wait()
		return time.Since(start)
	}))
}

func exchange(n int, bind bool) time.Duration {
	to, back, ready, done := make(chan int), make(chan int), make(chan bool), make(chan time.Duration)
	go func() {
		if bind {
			pin(1)
		}
		ready <- true
		for i := 0; i < n/2; i++ {
			back <- <-to + 1
		}
	}()
	go func() {
		if bind {
			pin(0)
		}
		<-ready
		start := time.Now()
		value := 0
		for i := 0; i < n/2; i++ {
			to <- value
			value = <-back
		}
		done <- time.Since(start)
	}()
	return <-done
}

func toASleeper(r run) float64 {
	messages := r.scaled(2000)
	to, result := make(chan time.Time, messages), make(chan float64)
	go func() {
		pin(1)
		var late lateness
		for sent := range to {
			late.add(sent, time.Now())
		}
		result <- late.percentile(0.5)
	}()
	go func() {
		pin(0)
		for i := 0; i < messages; i++ {
			for end := time.Now().Add(200 * time.Microsecond); time.Now().Before(end); {
			}
			to <- time.Now()
		}
		close(to)
	}()
	return <-result * 1000
}

func pingPong(r run) {
	switch r.variant {
	case "one-thread":
		runtime.GOMAXPROCS(1)
		report("message", nanosecondsEach(r, 1000, func(n int) time.Duration { return exchange(n, false) }))
	case "two-threads":
		report("message", nanosecondsEach(r, 1000, func(n int) time.Duration { return exchange(n, true) }))
	default:
		report("message", toASleeper(r))
	}
}
