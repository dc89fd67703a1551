package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// read prints for each file that a list names, a line each, how many records Prometheus' reader
// gives and its decoder takes before the first fault, and that fault or "-".
func read(list string) error {
	names, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "read")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	// A segment is known by its name.
	segment := filepath.Join(folder, "00000000")
	for _, name := range strings.Split(string(names), "\n") {
		if err := os.Symlink(name, segment); err != nil {
			return err
		}
		records, fault, err := readSegment(segment)
		if err != nil {
			return err
		}
		if err := os.Remove(segment); err != nil {
			return err
		}
		words := "-"
		if fault != nil {
			words = fault.Error()
		}
		fmt.Fprintln(out, records, words)
	}
	return nil
}

func readSegment(name string) (records int, fault, err error) {
	file, err := wlog.OpenReadSegment(name)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	reader := wlog.NewReader(wlog.NewSegmentBufReader(file))
	c := counter{decoder: record.NewDecoder(labels.NewSymbolTable(), slog.Default())}
	for reader.Next() {
		if _, err := c.decode(c.decoder.Type(reader.Record()), reader.Record()); err != nil {
			return records, err, nil
		}
		records++
	}
	return records, reader.Err(), nil
}
