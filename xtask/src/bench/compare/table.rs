//! The measured values, as tables that a document takes as they are.

/// One filter against one kind of traffic.
#[derive(Default, Clone)]
pub struct Cell {
    /// ns a packet, one a round.
    pub costs: Vec<f64>,
    /// The same as multiples of a bare drop in the same round.
    pub multiples: Vec<f64>,
    pub sent: u64,
    pub reached: u64,
}

/// Prints the three tables. Cells come by filter, then by traffic.
pub fn print(filters: &[&str], traffic: &[&str], cells: &[Vec<Cell>]) {
    let table = |title: &str, show: &dyn Fn(&Cell) -> String| {
        println!("\n{title}\n\n| | {} |", traffic.join(" | "));
        println!("|---|{}", "---|".repeat(traffic.len()));
        for (filter, row) in filters.iter().zip(cells) {
            let row: Vec<_> = row.iter().map(show).collect();
            println!("| {filter} | {} |", row.join(" | "));
        }
    };
    table(
        "ns of processor time a packet, median (min to max):",
        &|cell| spread(&cell.costs, 0),
    );
    table(
        "As multiples of the bare drop of the same round:",
        &|cell| spread(&cell.multiples, 1),
    );
    table("Part of the packets that reached the socket:", &|cell| {
        format!(
            "{:.1}%",
            cell.reached as f64 * 100.0 / cell.sent.max(1) as f64
        )
    });
}

fn spread(values: &[f64], digits: usize) -> String {
    let mut sorted = values.to_vec();
    let (median, least, most) = super::super::summary(&mut sorted);
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}
