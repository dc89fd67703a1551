// A small client and load for tests, in the busybox image as /bin/probe.
//
//	probe URL INTERVAL COUNT     GET the URL; one line per request; 0 = for ever
//	probe resolve NAME           the addresses of a name
//	probe serve-metrics SERIES   that many series on :8080/metrics
//	probe eat MIB                hold that much memory until ended
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "resolve":
		return resolve(args[1])
	case len(args) == 2 && args[0] == "serve-metrics":
		series, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return serveMetrics(series)
	case len(args) == 2 && args[0] == "eat":
		mib, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return eat(mib)
	case len(args) == 3:
		interval, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		count, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return get(args[0], interval, count)
	}
	return fmt.Errorf("usage: probe URL INTERVAL COUNT | resolve NAME | serve-metrics SERIES | eat MIB")
}

// get opens a new connection each time: a kept one would not notice that a
// Service has lost its endpoints.
func get(url string, interval time.Duration, count int) error {
	client := &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// A server of a test signs its certificate itself.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
	}
	failed := 0
	for done := 0; count == 0 || done < count; done++ {
		if done > 0 {
			time.Sleep(interval)
		}
		begun := time.Now()
		answer, err := client.Get(url)
		stamp := begun.UTC().Format("2006-01-02T15:04:05.000Z")
		took := time.Since(begun).Round(time.Millisecond)
		if err != nil {
			failed++
			fmt.Printf("%s error %v %v\n", stamp, took, err)
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode/100 != 2 {
			failed++
		}
		fmt.Printf("%s %d %v\n", stamp, answer.StatusCode, took)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d requests failed", failed, count)
	}
	return nil
}

func resolve(name string) error {
	addresses, err := net.LookupHost(name)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		fmt.Println(address)
	}
	return nil
}

func serveMetrics(series int) error {
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		out := bufio.NewWriterSize(w, 1<<16)
		defer out.Flush()
		now := time.Now().Unix()
		fmt.Fprintln(out, "# TYPE synthetic gauge")
		for n := range series {
			fmt.Fprintf(out, "synthetic{series=\"%08d\",shelf=\"%d\"} %d\n", n, n%16, now+int64(n%7))
		}
	})
	fmt.Printf("serving %d series on :8080/metrics\n", series)
	return http.ListenAndServe(":8080", nil)
}

func eat(mib int) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	held := make([][]byte, 0, mib)
	for len(held) < mib {
		block := make([]byte, 1<<20)
		// Memory that is never written to is not counted by the kernel.
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		held = append(held, block)
	}
	fmt.Printf("holding %d MiB\n", len(held))
	<-ended
	// Read after the wait, so that the collector may not free it before.
	fmt.Printf("letting go of %d MiB\n", len(held))
	return nil
}
