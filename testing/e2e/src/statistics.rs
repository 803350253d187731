//! Numbers of many into one.

use std::time::Duration;

/// The value that `share` of all are not above, by nearest rank; 0 of none.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * as_f64(sorted.len())).ceil() - 1.0;
    sorted.get(as_index(rank, sorted.len())).copied().unwrap_or(0.0)
}

/// The middle one; of an even number the lower of the two.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The times in milliseconds.
#[must_use]
pub fn milliseconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|time| time.as_secs_f64() * 1e3).collect()
}

/// The slope of the straight line through the points on double logarithmic paper: 1 is proportional, above is steeper.
#[must_use]
pub fn growth(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = as_f64(logs.len());
    let (mean_x, mean_y) =
        (logs.iter().map(|p| p.0).sum::<f64>() / count, logs.iter().map(|p| p.1).sum::<f64>() / count);
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    covariance / logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}

/// A count as a number to reckon with.
#[must_use]
pub fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn as_index(rank: f64, length: usize) -> usize {
    (0..length).rev().find(|index| as_f64(*index) <= rank).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<_> = (1..=100).rev().map(f64::from).collect();
        assert_eq!((median(&values), quantile(&values, 0.99), quantile(&values, 1.0)), (50.0, 99.0, 100.0));
        assert_eq!((median(&[3.0]), median(&[])), (3.0, 0.0));
    }

    #[test]
    fn growth_tells_a_line_from_a_square() {
        let of = |power: i32| growth(&[1.0_f64, 10.0, 100.0].map(|x| (x, 7.0 * x.powi(power))));
        assert!((of(1) - 1.0).abs() < 1e-9 && (of(2) - 2.0).abs() < 1e-9 && of(0).abs() < 1e-9);
    }
}
