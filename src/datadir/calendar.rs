//! Times as the calendar has them.

/// A time in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Utc {
    /// Of seconds since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years
    /// begin in March, so that the day that leaps is the last; 400 of them are always as many days).
    #[must_use]
    pub fn of(seconds: i64) -> Utc {
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let days = days + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year + i64::from(month <= 2);
        Utc { year, month, day, hour: second / 3600, minute: second / 60 % 60, second: second % 60 }
    }
}
