//! Single values of a `/metrics`, in the text exposition format.

/// One series, by its name and labels as they stand there, as a whole number.
pub fn whole(text: &str, series: &str) -> Option<i64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value: f64 = lines.next()?.trim().parse().ok()?;
    // Up to the highest, which an empty head gives as its first time (tsdb/head.go, `math.MaxInt64`).
    #[expect(clippy::cast_precision_loss, reason = "a bound")]
    let fits = value.abs() <= i64::MAX as f64;
    #[expect(clippy::cast_possible_truncation, reason = "counts, bytes, times in milliseconds")]
    let whole = value as i64;
    fits.then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_of_the_series_that_is_named() {
        let text = "# TYPE a gauge\na_b 7\na 1.7e+12\nb{type=\"samples\"} 3\n";
        assert_eq!(whole(text, "a"), Some(1_700_000_000_000));
        assert_eq!(whole(text, "b{type=\"samples\"}"), Some(3));
        assert_eq!(whole(text, "b"), None);
        assert_eq!(whole("a 9.223372036854775807e+18\n", "a"), Some(i64::MAX));
        for none in ["a NaN\n", "a +Inf\n", "a 1e+300\n", "a x\n"] {
            assert_eq!(whole(none, "a"), None, "{none}");
        }
    }

    #[test]
    fn a_value_in_exponent_form_is_whole() {
        let text = "# HELP x y\nprocess_resident_memory_bytes 9.4273536e+07\n";
        assert_eq!(whole(text, "process_resident_memory_bytes"), Some(94_273_536));
        assert_eq!(whole("a 12\n", "a"), Some(12));
        assert_eq!(whole("a_b 12\n", "a"), None);
    }
}
