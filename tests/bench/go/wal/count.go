package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/tombstones"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// ofType is what `prom-fix-agent survey --json` says of a type of records.
type ofType struct {
	Records uint64 `json:"records"`
	Entries uint64 `json:"entries"`
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

func count(folder string, decode bool) error {
	segments, err := wlog.NewSegmentsReader(folder)
	if err != nil {
		return err
	}
	defer segments.Close()
	reader := wlog.NewReader(segments)
	c := counter{decoder: record.NewDecoder(labels.NewSymbolTable(), slog.Default())}
	counts := map[string]*ofType{}
	for reader.Next() {
		bytes := reader.Record()
		kind := c.decoder.Type(bytes)
		name, known := names[kind]
		if !known {
			name = "unknown"
		}
		of := counts[name]
		if of == nil {
			of = &ofType{}
			counts[name] = of
		}
		of.Records++
		if decode && known {
			entries, err := c.entries(kind, bytes)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			of.Entries += uint64(entries)
		}
	}
	if err := reader.Err(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(counts)
}

func (c *counter) entries(kind record.Type, bytes []byte) (n int, err error) {
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
