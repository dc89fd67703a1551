package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/tombstones"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// counts is what `prom-fix-agent survey --json` says of a file, or of all files of a log.
type counts struct {
	Records uint64             `json:"records"`
	ByType  map[string]*ofType `json:"byType"`
	Entries entries            `json:"entries"`
}

type ofType struct {
	Records uint64 `json:"records"`
	Entries uint64 `json:"entries"`
}

type entries struct {
	Series     uint64 `json:"series"`
	Samples    uint64 `json:"samples"`
	Tombstones uint64 `json:"tombstones"`
	Exemplars  uint64 `json:"exemplars"`
	Markers    uint64 `json:"markers"`
	Metadata   uint64 `json:"metadata"`
	// Of samples, in milliseconds.
	Span *between[int64] `json:"span"`
	// Of Series records.
	Refs *between[uint64] `json:"refs"`
}

type between[T cmp.Ordered] struct {
	First T `json:"first"`
	Last  T `json:"last"`
}

func (b *between[T]) with(value T) *between[T] {
	if b == nil {
		return &between[T]{value, value}
	}
	b.First, b.Last = min(b.First, value), max(b.Last, value)
	return b
}

var names = map[record.Type]string{
	record.Series:                             "series",
	record.Samples:                            "samples",
	record.Tombstones:                         "tombstones",
	record.Exemplars:                          "exemplars",
	record.MmapMarkers:                        "mmapMarkers",
	record.Metadata:                           "metadata",
	record.HistogramSamples:                   "histogramSamples",
	record.FloatHistogramSamples:              "floatHistogramSamples",
	record.CustomBucketsHistogramSamples:      "customBucketsHistogramSamples",
	record.CustomBucketsFloatHistogramSamples: "customBucketsFloatHistogramSamples",
	record.SamplesV2:                          "samplesV2",
	record.HistogramSamplesV2:                 "histogramSamplesV2",
	record.FloatHistogramSamplesV2:            "floatHistogramSamplesV2",
}

type counter struct {
	decoder    record.Decoder
	series     []record.RefSeries
	samples    []record.RefSample
	stones     []tombstones.Stone
	exemplars  []record.RefExemplar
	markers    []record.RefMmapMarker
	metadata   []record.RefMetadata
	histograms []record.RefHistogramSample
	floats     []record.RefFloatHistogramSample
}

// How far a record is read.
type depth int

const (
	typesOnly depth = iota
	decoded
	looked
)

// count prints what is in each file of a folder of segments, by its name, as the reader gives it that
// reads a log at a start.
func count(folder string, depth depth) error {
	first, last, err := wlog.Segments(folder)
	if err != nil {
		return err
	}
	c := counter{decoder: record.NewDecoder(labels.NewSymbolTable(), slog.Default())}
	files := map[string]*counts{}
	for number := first; number >= 0 && number <= last; number++ {
		name := wlog.SegmentName(folder, number)
		found, err := c.file(name, depth)
		if err != nil {
			return fmt.Errorf("segment %d: %w", number, err)
		}
		files[filepath.Base(name)] = found
	}
	return json.NewEncoder(os.Stdout).Encode(files)
}

func (c *counter) file(name string, depth depth) (*counts, error) {
	file, err := wlog.OpenReadSegment(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := wlog.NewReader(wlog.NewSegmentBufReader(file))
	found := counts{ByType: map[string]*ofType{}}
	for reader.Next() {
		bytes := reader.Record()
		kind := c.decoder.Type(bytes)
		name, known := names[kind]
		if !known {
			name = "unknown"
		}
		of := found.ByType[name]
		if of == nil {
			of = &ofType{}
			found.ByType[name] = of
		}
		found.Records++
		of.Records++
		if depth == typesOnly || !known {
			continue
		}
		n, err := c.decode(kind, bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		of.Entries += uint64(n)
		if depth == looked {
			c.look(kind, uint64(n), &found.Entries)
		}
	}
	return &found, reader.Err()
}

// look adds the n entries of the record that was decoded last.
func (c *counter) look(kind record.Type, n uint64, into *entries) {
	switch kind {
	case record.Series:
		into.Series += n
		for _, s := range c.series {
			into.Refs = into.Refs.with(uint64(s.Ref))
		}
	case record.Tombstones:
		into.Tombstones += n
	case record.Exemplars:
		into.Exemplars += n
	case record.MmapMarkers:
		into.Markers += n
	case record.Metadata:
		into.Metadata += n
	case record.Samples, record.SamplesV2:
		into.Samples += n
		for _, s := range c.samples {
			into.Span = into.Span.with(s.T)
		}
	case record.HistogramSamples, record.CustomBucketsHistogramSamples, record.HistogramSamplesV2:
		into.Samples += n
		for _, s := range c.histograms {
			into.Span = into.Span.with(s.T)
		}
	default:
		into.Samples += n
		for _, s := range c.floats {
			into.Span = into.Span.with(s.T)
		}
	}
}

// decode reads the entries of a record into the list that is for its type.
func (c *counter) decode(kind record.Type, bytes []byte) (n int, err error) {
	switch kind {
	case record.Series:
		c.series, err = c.decoder.Series(bytes, c.series[:0])
		n = len(c.series)
	case record.Samples, record.SamplesV2:
		c.samples, err = c.decoder.Samples(bytes, c.samples[:0])
		n = len(c.samples)
	case record.Tombstones:
		c.stones, err = c.decoder.Tombstones(bytes, c.stones[:0])
		n = len(c.stones)
	case record.Exemplars:
		c.exemplars, err = c.decoder.Exemplars(bytes, c.exemplars[:0])
		n = len(c.exemplars)
	case record.MmapMarkers:
		c.markers, err = c.decoder.MmapMarkers(bytes, c.markers[:0])
		n = len(c.markers)
	case record.Metadata:
		c.metadata, err = c.decoder.Metadata(bytes, c.metadata[:0])
		n = len(c.metadata)
	case record.HistogramSamples, record.CustomBucketsHistogramSamples, record.HistogramSamplesV2:
		c.histograms, err = c.decoder.HistogramSamples(bytes, c.histograms[:0])
		n = len(c.histograms)
	case record.FloatHistogramSamples, record.CustomBucketsFloatHistogramSamples, record.FloatHistogramSamplesV2:
		c.floats, err = c.decoder.FloatHistogramSamples(bytes, c.floats[:0])
		n = len(c.floats)
	}
	return n, err
}
