/// Rows of cells as lines whose columns begin one below the other. All rows have as many cells as the first.
func textTable(_ rows: [[String]]) -> [String] {
    guard let columns = rows.first?.indices else { return [] }
    let widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ")
        return String(cells.reversed().drop { $0 == " " }.reversed())
    }
}

/// A text of the server as a cell: `-` for none.
func cell(_ text: String?) -> String { text.flatMap { $0.isEmpty ? nil : $0.printable } ?? "-" }

/// A node's weight as a cell: `2`, `0.5`, `-` for none.
func cell(weight: Double?) -> String {
    guard let weight else { return "-" }
    return Int64(exactly: weight).map { "\($0)" } ?? "\(weight)"
}
