//! Requests of remote write (prometheus/prometheus prompb/remote.proto, prompb/types.proto), by
//! hand: few fields of few messages. One request is one commit of Prometheus' storage.

#[derive(Default)]
pub struct Request {
    bytes: Vec<u8>,
}

/// One value of one series at a time in milliseconds.
pub enum Value {
    Float(f64),
    /// The exemplar says a trace.
    Traced(f64),
    /// A native histogram with this sum.
    Histogram(f64),
}

impl Request {
    /// `labels` are sorted by name.
    pub fn add(&mut self, labels: &[(&str, &str)], time: i64, value: &Value) {
        let mut series = Vec::new();
        for (name, value) in labels {
            let label = [bytes(1, name.as_bytes()), bytes(2, value.as_bytes())].concat();
            series.extend(bytes(1, &label));
        }
        match value {
            Value::Float(value) => series.extend(bytes(2, &sample(*value, time))),
            Value::Traced(value) => {
                series.extend(bytes(2, &sample(*value, time)));
                let label = [bytes(1, b"trace_id"), bytes(2, b"5f1c")].concat();
                let exemplar = [bytes(1, &label), double(2, *value), varint(3, time)].concat();
                series.extend(bytes(3, &exemplar));
            }
            Value::Histogram(sum) => series.extend(bytes(4, &histogram(*sum, time))),
        }
        self.bytes.extend(bytes(1, &series));
    }

    pub fn body(&self) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(&self.bytes).expect("it fits")
    }
}

fn sample(value: f64, time: i64) -> Vec<u8> {
    [double(1, value), varint(2, time)].concat()
}

/// Two buckets with three observations, and one of zero.
fn histogram(sum: f64, time: i64) -> Vec<u8> {
    let span = varint(2, 2);
    // Differences 1, 1 as zigzag.
    let deltas = [2, 2];
    [
        varint(1, 4),
        double(3, sum),
        double(5, 0.001),
        varint(6, 1),
        bytes(11, &span),
        bytes(12, &deltas),
        varint(15, time),
    ]
    .concat()
}

fn uvarint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

fn varint(field: u64, value: i64) -> Vec<u8> {
    [uvarint(field << 3), uvarint(value.cast_unsigned())].concat()
}

fn double(field: u64, value: f64) -> Vec<u8> {
    [uvarint(field << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [uvarint(field << 3 | 2), uvarint(value.len() as u64), value.to_vec()].concat()
}
