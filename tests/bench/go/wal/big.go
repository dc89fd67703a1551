package main

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// Series of one target: Prometheus writes one record of samples a scrape.
const target = 1000

// large writes DIR/wal with Prometheus' own writer and encoder, without a head: a log of gigabytes
// in a minute, holding what a server writes that scrapes `series` series `samples` times.
func large(folder string, args []string) error {
	flags := flag.NewFlagSet("big", flag.ContinueOnError)
	series := flags.Int("series", 600_000, "series of floats")
	samples := flags.Int("samples", 400, "samples of each")
	how := flags.String("compression", "snappy", "none, snappy or zstd")
	segment := flags.Int("segment", wlog.DefaultSegmentSize, "bytes of a segment at most")
	distinct := flags.Bool("distinct", false, "each series with a label value of its own")
	if err := flags.Parse(args); err != nil {
		return err
	}
	folder = filepath.Join(folder, "wal")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	log, err := wlog.NewSize(promslog.NewNopLogger(), nil, folder, *segment, compression.Type(*how))
	if err != nil {
		return err
	}
	w := scraper{log: log, distinct: *distinct, random: rand.New(rand.NewSource(1)), values: make([]float64, *series)}
	for at := range *samples {
		for from := 0; from < *series; from += target {
			if err := w.scrape(at, from, min(from+target, *series)); err != nil {
				return fmt.Errorf("scrape %d: %w", at, err)
			}
		}
	}
	slog.Info("made", "series", *series, "samples", *samples, "folder", folder)
	return log.Close()
}

type scraper struct {
	log      *wlog.WL
	distinct bool
	encoder  record.Encoder
	random   *rand.Rand
	values   []float64
	samples  []record.RefSample
	series   []record.RefSeries
	bytes    []byte
}

// The refs of a target follow each other; every target has its own moment within the interval.
func (w *scraper) scrape(at, from, to int) error {
	t := int64(start+at*interval) + int64(from/target*37%interval)
	w.samples, w.series = w.samples[:0], w.series[:0]
	for n := from; n < to; n++ {
		ref := chunks.HeadSeriesRef(n + 1)
		if at == 0 {
			w.series = append(w.series, record.RefSeries{Ref: ref, Labels: large9(n, w.distinct)})
		}
		w.samples = append(w.samples, record.RefSample{Ref: ref, T: t, V: w.next(n)})
	}
	w.bytes = w.bytes[:0]
	if at == 0 {
		w.bytes = w.encoder.Series(w.series, w.bytes)
		if err := w.log.Log(w.bytes); err != nil {
			return err
		}
	}
	return w.log.Log(w.encoder.Samples(w.samples, nil))
}

// What scrapes see: a third of the series stands still, a third counts whole things, a third
// measures.
func (w *scraper) next(n int) float64 {
	switch n % 3 {
	case 0:
		if w.values[n] == 0 {
			w.values[n] = float64(n % 17)
		}
	case 1:
		w.values[n] += float64(w.random.Intn(5000))
	default:
		w.values[n] = w.random.ExpFloat64() * 100
	}
	return w.values[n]
}

// Nine labels, as on Kubernetes; with distinct, one of them is no other's.
func large9(n int, distinct bool) labels.Labels {
	host := "10.0." + strconv.Itoa(n/target/250) + "." + strconv.Itoa(n/target%250)
	code := 200 + n%5
	if distinct {
		code = n
	}
	return labels.FromStrings("__name__", "metric_"+strconv.Itoa(n%target)+"_total", "instance", host+":9100",
		"job", "node-"+strconv.Itoa(n/target%20), "namespace", "team-"+strconv.Itoa(n/target%7),
		"pod", "app-"+strconv.Itoa(n/target), "container", "main", "endpoint", "metrics",
		"service", "app-"+strconv.Itoa(n/target%90), "code", strconv.Itoa(code))
}
