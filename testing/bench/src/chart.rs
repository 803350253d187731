//! The picture in `docs/PERFORMANCE.md`.

use crate::results::Results;
use crate::scale::Point;
use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const INK: RGBColor = RGBColor(45, 55, 72);
const OURS: RGBColor = RGBColor(200, 85, 30);
const OTHERS: RGBColor = RGBColor(130, 145, 165);

/// Draws what a cold and a warm webhook takes beside the others, and the four curves.
///
/// # Errors
/// If the file cannot be written.
pub fn draw(results: &Results, path: &Path) -> Result<()> {
    let root = SVGBackend::new(path, (960, 1000)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let (top, bottom) = root.split_vertically(430);
    let (left, right) = top.split_horizontally(480);
    let receivers = || results.rows.iter().filter(|row| !row.name.contains("batch") && row.name != "process-fn");
    bars(
        &left,
        "cold: start and first webhook, ms",
        receivers().map(|row| (row.name.as_str(), row.cold_ms)).collect(),
    )?;
    bars(&right, "warm: middle of all webhooks, ms", receivers().map(|row| (row.name.as_str(), row.p50_ms)).collect())?;
    let curves = &results.curves;
    let panels = bottom.split_evenly((2, 2));
    let drawn = [
        ("dollars per million events, by events of a bot", &curves.dollars_per_million),
        ("ms for a batch, by bots in it (calls of 5 ms)", &curves.batch),
        ("ms of processor for a webhook, by its bytes", &curves.body),
        ("seconds to drain a backlog, by deliveries in it", &curves.backlog),
    ];
    for (panel, (title, points)) in panels.iter().zip(drawn) {
        curve(panel, title, points)?;
    }
    root.present().map_err(|error| anyhow!("{error}")).with_context(|| format!("cannot write {}", path.display()))
}

/// Horizontal bars on a logarithmic scale, each with its name and number.
fn bars(area: &Area<'_>, title: &str, rows: Vec<(&str, f64)>) -> Result<()> {
    let drawn = |error| anyhow!("cannot draw {title}: {error}");
    let font = |size: u32| ("sans-serif", size).into_font().color(&INK);
    area.titled(title, font(17)).map_err(drawn)?;
    let longest = rows.iter().map(|(_, number)| number.ln_1p()).fold(0.0, f64::max);
    for (at, (name, number)) in rows.iter().enumerate() {
        let top = 45 + i32::try_from(at)? * 46;
        let width = pixels(20.0 + 300.0 * number.ln_1p() / longest.max(1e-9));
        let color = if name.ends_with("-fn") { OURS } else { OTHERS };
        area.draw(&Text::new((*name).to_owned(), (20, top), font(13))).map_err(drawn)?;
        area.draw(&Rectangle::new([(20, top + 16), (20 + width, top + 34)], color.filled())).map_err(drawn)?;
        let label = crate::bars::figure(*number);
        area.draw(&Text::new(label, (28 + width, top + 18), font(13))).map_err(drawn)?;
    }
    Ok(())
}

/// A line through points, both axes logarithmic.
fn curve(area: &Area<'_>, title: &str, points: &[Point]) -> Result<()> {
    if points.len() < 2 {
        return Ok(());
    }
    let drawn = |error| anyhow!("cannot draw {title}: {error}");
    let range = |of: fn(&Point) -> f64| {
        let (low, high) = points.iter().map(of).fold((f64::MAX, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
        (low * 0.7)..(high * 1.4)
    };
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15).into_font().color(&INK))
        .margin(14)
        .x_label_area_size(28)
        .y_label_area_size(52)
        .build_cartesian_2d(range(|point| point.work).log_scale(), range(|point| point.took).log_scale())
        .map_err(drawn)?;
    let label = |number: &f64| crate::bars::figure(*number);
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .x_labels(6)
        .y_labels(5)
        .label_style(("sans-serif", 11).into_font().color(&INK))
        .draw()
        .map_err(drawn)?;
    let line: Vec<_> = points.iter().map(|point| (point.work, point.took)).collect();
    chart.draw_series(LineSeries::new(line.clone(), OURS.stroke_width(2))).map_err(drawn)?;
    chart.draw_series(line.into_iter().map(|at| Circle::new(at, 3, OURS.filled()))).map_err(drawn)?;
    Ok(())
}

/// A length on the drawing, which has no fractions.
fn pixels(length: f64) -> i32 {
    (0..1000).rev().find(|pixels| f64::from(*pixels) <= length).unwrap_or(0)
}
