// Makes write-ahead logs with Prometheus' own storage, and counts what is in one with Prometheus'
// own reader: what the engine of this project is measured against.
//
// usage: wal make DIR [-series N] [-histograms N] [-samples N] [-compression none|snappy|zstd]
//
//	                [-segment BYTES] [-st]
//	wal big DIR     floats only, but gigabytes of them in a minute; the same flags, but for those of
//	                histograms and start times, and -distinct
//	wal count DIR   each file of a folder of segments (wal, a checkpoint, wbl): JSON as that of a survey
//	wal decode DIR  the same without times and refs: what the reader and the decoder take
//	wal frames DIR  the same without decoding
//	wal read LIST   each file that a list names: records before the first fault, and the fault
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: wal make|big|count|decode|frames|read DIR [FLAGS]")
		os.Exit(1)
	}
	var err error
	switch os.Args[1] {
	case "make":
		err = produce(os.Args[2], os.Args[3:])
	case "big":
		err = large(os.Args[2], os.Args[3:])
	case "count":
		err = count(os.Args[2], looked)
	case "decode":
		err = count(os.Args[2], decoded)
	case "frames":
		err = count(os.Args[2], typesOnly)
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
