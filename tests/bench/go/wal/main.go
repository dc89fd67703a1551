// Makes write-ahead logs with Prometheus' own storage, and counts what is in one with Prometheus'
// own reader: what the engine of this project is measured against.
//
// usage: wal make DIR [-series N] [-samples N] [-compression none|snappy|zstd] [-st]
//
//	wal big DIR     floats only, but gigabytes of them in a minute; the flags of make
//	wal count DIR   a folder of segments (wal, a checkpoint, wbl); JSON on stdout
//	wal frames DIR  the same without decoding
//	wal read LIST   each file that a list names: records before the first fault, and the fault
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: wal make|big|count|frames|read DIR [FLAGS]")
		os.Exit(1)
	}
	var err error
	switch os.Args[1] {
	case "make":
		err = produce(os.Args[2], os.Args[3:])
	case "big":
		err = large(os.Args[2], os.Args[3:])
	case "count":
		err = count(os.Args[2], true)
	case "frames":
		err = count(os.Args[2], false)
	case "read":
		err = read(os.Args[2])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wal:", err)
		os.Exit(1)
	}
}
