//! A time as people and BIDS write it.

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// Of the calendar's whole turn of 400 years.
const DAYS_PER_TURN: u64 = 146_097;

/// The time so many seconds after the beginning of 1970, in UTC: `2026-11-27T12:01:03Z`.
pub fn date(unix_seconds: u64) -> String {
    let (days, seconds) = (
        unix_seconds / SECONDS_PER_DAY,
        unix_seconds % SECONDS_PER_DAY,
    );
    // Years begin in March here, so that a leap day is the last of its year.
    let days = days + 719_468; // from 0000-03-01 to 1970-01-01
    let (turn, day) = (days / DAYS_PER_TURN, days % DAYS_PER_TURN);
    let leap_days = (day / 1460 + day / (DAYS_PER_TURN - 1)) - day / 36_524;
    let year_of_turn = (day - leap_days) / 365;
    let day = day - (365 * year_of_turn + year_of_turn / 4 - year_of_turn / 100);
    let month = (5 * day + 2) / 153; // from March on, months of 31 and 30 days in turn, but for two of 31
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * turn + year_of_turn + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `date -u -d @SECONDS`.
    #[test]
    fn dates_are_those_of_other_programs() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_795_780_863, "2026-11-27T12:01:03Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn days_follow_one_another_through_four_hundred_years() {
        let is_leap = |year: u64| {
            year.is_multiple_of(400) || year.is_multiple_of(4) && !year.is_multiple_of(100)
        };
        let mut days = 0;
        for year in 1970..2370 {
            for month in 1..=12 {
                let length = match month {
                    2 => 28 + u64::from(is_leap(year)),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for day in 1..=length {
                    let expected = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                    assert_eq!(date(days * SECONDS_PER_DAY), expected);
                    days += 1;
                }
            }
        }
    }
}
