// SPDX-License-Identifier: GPL-2.0-only

// Go: goroutines; one thread is one CPU and GOMAXPROCS 1.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// Binds the main goroutine to the main thread: measure wake counts what that thread does.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintf(os.Stderr, "usage: %s MEASURE VARIANT [WORK]\n", os.Args[0])
		os.Exit(64)
	}
	r := run{variant: os.Args[2], work: 1}
	if len(os.Args) > 3 {
		r.work, _ = strconv.ParseFloat(os.Args[3], 64)
	}
	measures := map[string]func(run){
		"yield": yield, "ping-pong": pingPong, "spawn-join": spawnJoin, "fork-join": forkJoin, "memory": memory,
		"scaling": scaling, "timers": timers, "hog": hog, "idle": idle, "wake": wake,
	}
	measure, found := measures[os.Args[1]]
	if !found {
		fmt.Fprintf(os.Stderr, "%s: no measure %s\n", os.Args[0], os.Args[1])
		os.Exit(64)
	}
	if os.Args[1] == "wake" {
		measure(r)
		return
	}
	// elsewhere a goroutine of its own, which is not bound to a thread
	done := make(chan bool)
	go func() { measure(r); done <- true }()
	<-done
}
