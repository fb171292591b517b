/// Numbers of parts, ascending, as text of runs: `1-4,6`. An upload of 10,000 parts without a gap is `1-10000`.
enum PartRuns {
    static func text(_ numbers: [Int]) -> String {
        var runs: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = runs.last, last.upperBound + 1 == number {
                runs[runs.count - 1] = last.lowerBound...number
            } else {
                runs.append(number...number)
            }
        }
        return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }

    /// - Returns: nil for what ``text(_:)`` did not write, or more than `maximum` numbers.
    static func numbers(_ text: String, maximum: Int) -> [Int]? {
        var numbers: [Int] = []
        for run in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = run.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, bounds.count <= 2, first <= last,
                first > numbers.last ?? 0,
                last - first < maximum - numbers.count
            else { return nil }
            numbers += first...last
        }
        return numbers
    }
}
