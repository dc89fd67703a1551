package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/compression"
)

// Scrapes are 15 s apart, from here on.
const (
	start    = 1_760_000_000_000
	interval = 15_000
	batch    = 10_000
)

// produce writes a data directory as a server would that scraped `series` series `samples` times,
// with every kind of record that its storage knows how to write.
func produce(folder string, args []string) error {
	flags := flag.NewFlagSet("make", flag.ContinueOnError)
	series := flags.Int("series", 2000, "series of floats")
	histograms := flags.Int("histograms", 20, "series of each of the four kinds of histograms")
	samples := flags.Int("samples", 20, "samples of each")
	how := flags.String("compression", "snappy", "none, snappy or zstd")
	segment := flags.Int("segment", 128<<20, "bytes of a segment at most")
	st := flags.Bool("st", false, "with start times: records of the second form")
	if err := flags.Parse(args); err != nil {
		return err
	}
	options := tsdb.DefaultOptions()
	options.WALCompression = compression.Type(*how)
	options.WALSegmentSize = *segment
	options.EnableExemplarStorage = true
	options.MaxExemplars = 10_000
	options.OutOfOrderTimeWindow = 3_600_000
	options.EnableSTStorage = *st
	options.EnableHistogramSTEncoding = *st
	if *st {
		// The older encoding of chunks has no place for start times.
		options.FloatChunkEncoding = chunkenc.EncXOR2
	}
	options.EnableMetadataWALRecords = true
	db, err := tsdb.Open(folder, promslog.NewNopLogger(), nil, options, nil)
	if err != nil {
		return err
	}
	w := writer{db: db, st: *st}
	if err := w.all(*series, *histograms, *samples); err != nil {
		return err
	}
	slog.Info("made", "series", *series, "samples", *samples, "folder", folder)
	return db.Close()
}

type writer struct {
	db *tsdb.DB
	st bool
}

func name(metric string, n int) labels.Labels {
	return labels.FromStrings("__name__", metric, "instance", "10.0.0."+strconv.Itoa(n%50)+":9100",
		"job", "node-"+strconv.Itoa(n%20), "namespace", "team-"+strconv.Itoa(n%7), "pod", "app-"+strconv.Itoa(n))
}

func (w writer) all(series, histograms, samples int) error {
	for at := range samples {
		t := int64(start + at*interval)
		for from := 0; from < series; from += batch {
			if err := w.floats(t, from, min(from+batch, series)); err != nil {
				return fmt.Errorf("floats: %w", err)
			}
		}
		if err := w.histograms(t, at, histograms); err != nil {
			return fmt.Errorf("histograms: %w", err)
		}
	}
	return w.late(start+int64(samples)*interval, min(series, 100))
}

// One appender's commit is one batch of records.
func (w writer) commit(fill func(put func(ls labels.Labels, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram) error) error) error {
	if w.st {
		app := w.db.AppenderV2(context.Background())
		put := func(ls labels.Labels, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram) error {
			_, err := app.Append(0, ls, t-interval/2, t, v, h, fh, storage.AOptions{})
			return err
		}
		if err := fill(put); err != nil {
			return err
		}
		return app.Commit()
	}
	app := w.db.Appender(context.Background())
	put := func(ls labels.Labels, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram) error {
		if h != nil || fh != nil {
			_, err := app.AppendHistogram(0, ls, t, h, fh)
			return err
		}
		ref, err := app.Append(0, ls, t, v)
		if err != nil {
			return err
		}
		if int64(v)%100 == 0 {
			e := exemplar.Exemplar{Labels: labels.FromStrings("trace_id", strconv.FormatInt(t, 16)), Value: v, Ts: t, HasTs: true}
			if _, err := app.AppendExemplar(ref, ls, e); err != nil {
				return err
			}
		}
		if t < start+interval {
			_, err = app.UpdateMetadata(ref, ls, metadata.Metadata{Type: "counter", Unit: "bytes", Help: "made for a test"})
		}
		return err
	}
	if err := fill(put); err != nil {
		return err
	}
	return app.Commit()
}

func (w writer) floats(t int64, from, to int) error {
	return w.commit(func(put func(labels.Labels, int64, float64, *histogram.Histogram, *histogram.FloatHistogram) error) error {
		for n := from; n < to; n++ {
			// A record holds many targets, each of which has its own moment.
			if err := put(name("bytes_total", n), t+int64(n*37%1000), float64(n)+float64(t%7919)/3, nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func native(at int64) *histogram.Histogram {
	return &histogram.Histogram{
		Schema: 1, ZeroThreshold: 0.001, ZeroCount: uint64(2 + at), Count: uint64(12 + at*9), Sum: 18.4 * float64(at+1),
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}, {Offset: 1, Length: 2}}, PositiveBuckets: []int64{at + 1, 1, -1, 0},
		NegativeSpans: []histogram.Span{{Offset: 0, Length: 2}, {Offset: 1, Length: 2}}, NegativeBuckets: []int64{at + 1, 1, -1, 0},
	}
}

func custom(at int64) *histogram.Histogram {
	return &histogram.Histogram{
		Schema: histogram.CustomBucketsSchema, Count: uint64(5 + at*4), Sum: 18.4 * float64(at+1),
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}, {Offset: 1, Length: 2}}, PositiveBuckets: []int64{at + 1, 1, -1, 0},
		CustomValues: []float64{0, 1, 2, 3, 4},
	}
}

func (w writer) histograms(t int64, at, count int) error {
	return w.commit(func(put func(labels.Labels, int64, float64, *histogram.Histogram, *histogram.FloatHistogram) error) error {
		for n := range count {
			whole, parts := native(int64(at)), custom(int64(at))
			if err := put(name("native", n), t, 0, whole, nil); err != nil {
				return err
			}
			if err := put(name("native_float", n), t, 0, nil, whole.ToFloat(nil)); err != nil {
				return err
			}
			if err := put(name("custom", n), t, 0, parts, nil); err != nil {
				return err
			}
			if err := put(name("custom_float", n), t, 0, nil, parts.ToFloat(nil)); err != nil {
				return err
			}
		}
		return nil
	})
}

// late writes samples that are out of order, and deletes a series: wbl records, markers, tombstones.
func (w writer) late(t int64, count int) error {
	for at := range int64(40) {
		err := w.commit(func(put func(labels.Labels, int64, float64, *histogram.Histogram, *histogram.FloatHistogram) error) error {
			for n := range count {
				if err := put(name("bytes_total", n), t-1_800_000+at*1000+1, 1, nil, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("late: %w", err)
		}
	}
	match := labels.MustNewMatcher(labels.MatchEqual, "pod", "app-1")
	return w.db.Delete(context.Background(), start, t, match)
}
