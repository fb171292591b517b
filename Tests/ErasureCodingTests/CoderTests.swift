import Core
import NIOCore
import Testing

import ErasureCoding

@Suite struct CoderTests {
    private func cells(_ coder: ErasureCoder, row: ByteBuffer, cellSize: Int) -> [Int: ByteBuffer] {
        let (data, parity) = coder.encode(row: row, cellSize: cellSize)
        return Dictionary(uniqueKeysWithValues: (data + parity).enumerated().map { ($0, $1) })
    }

    @Test("whichever cells are lost, the others give them back", arguments: someCodes)
    func everyPattern(code: ErasureCode) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let random = SeededRandom(seed: seed)
        let coder = ErasureCoder(code)
        // Not a multiple of any vector's size.
        let cellSize = random.next(in: 1..<300)
        let cells = cells(coder, row: random.buffer(byteCount: code.dataCount * cellSize), cellSize: cellSize)
        for count in 1...code.parityCount {
            for lost in choices(of: count, below: code.width) {
                let left = cells.filter { !lost.contains($0.key) }
                let computed = try coder.reconstruct(lost, from: left, cellSize: cellSize)
                #expect(computed == cells.filter { lost.contains($0.key) }, "\(code) without \(lost), seed \(seed)")
            }
        }
    }

    @Test("the fewest cells are enough, whichever they are", arguments: [code(2, 1), code(2, 2), code(3, 2), code(4, 2), code(6, 3)])
    func everyMinimum(code: ErasureCode) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let random = SeededRandom(seed: seed)
        let coder = ErasureCoder(code)
        let cells = cells(coder, row: random.buffer(byteCount: code.dataCount * 128), cellSize: 128)
        for given in choices(of: code.dataCount, below: code.width) {
            let left = cells.filter { given.contains($0.key) }
            // Together and one by one.
            #expect(try coder.reconstruct(Array(0..<code.width), from: left, cellSize: 128) == cells, "\(code) from \(given), seed \(seed)")
            for number in 0..<code.width {
                let computed = try coder.reconstruct([number], from: left, cellSize: 128)
                #expect(computed == [number: cells[number]], "\(code): \(number) from \(given), seed \(seed)")
            }
        }
    }

    @Test("chunks of any length come back, row by row, without their first fragments", arguments: [code(2, 1), code(4, 2), code(5, 3)])
    func chunks(code: ErasureCode) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let random = SeededRandom(seed: seed)
        let coder = ErasureCoder(code)
        for byteCount in [1, 64, 65, 1000, code.cellSize + 1, code.rowSize - 1, code.rowSize, code.rowSize + 1, 2 * code.rowSize + 70_000] {
            let chunk = random.buffer(byteCount: byteCount)
            var fragments = [ByteBuffer](repeating: ByteBuffer(), count: code.width)
            for row in 0..<code.rowCount(chunkByteCount: byteCount) {
                let range = code.chunkRange(ofRow: row, chunkByteCount: byteCount)
                let bytes = try #require(chunk.getSlice(at: range.lowerBound, length: range.count))
                let (data, parity) = coder.encode(row: bytes, cellSize: code.cellSize(ofRow: row, chunkByteCount: byteCount))
                #expect(data.count == code.dataCount && parity.count == code.parityCount)
                for (number, cell) in (data + parity).enumerated() { fragments[number].writeImmutableBuffer(cell) }
            }
            #expect(fragments.allSatisfy { $0.readableBytes == code.fragmentByteCount(chunkByteCount: byteCount) })
            var result = ByteBuffer()
            for row in 0..<code.rowCount(chunkByteCount: byteCount) {
                let cell = code.fragmentRange(ofRow: row, chunkByteCount: byteCount)
                var left: [Int: ByteBuffer] = [:]
                for number in code.parityCount..<code.width {
                    left[number] = fragments[number].getSlice(at: cell.lowerBound, length: cell.count)
                }
                let row = code.chunkRange(ofRow: row, chunkByteCount: byteCount)
                let computed = try coder.reconstruct(Array(0..<code.dataCount), from: left, cellSize: cell.count)
                for part in code.cells(covering: row, chunkByteCount: byteCount) {
                    let start = part.rangeInFragment.lowerBound - cell.lowerBound
                    var bytes = try #require(computed[part.number]?.getSlice(at: start, length: part.rangeInFragment.count))
                    result.writeBuffer(&bytes)
                }
            }
            #expect(result == chunk, "\(code), \(byteCount) bytes, seed \(seed)")
        }
    }

    @Test("what a row is short of counts as zeros, also where the buffer has other bytes before and after it")
    func padding() {
        let coder = ErasureCoder(code(4, 2))
        for byteCount in [0, 1, 63, 64, 65, 200, 255, 256] {
            var buffer = SeededRandom(seed: 5).buffer(byteCount: byteCount + 20)
            buffer.moveReaderIndex(forwardBy: 10)
            buffer.moveWriterIndex(to: byteCount + 10)
            let padded = ByteBuffer(bytes: Array(buffer.readableBytesView) + [UInt8](repeating: 0, count: 256 - byteCount))
            let (data, parity) = coder.encode(row: buffer, cellSize: 64)
            #expect(data == (0..<4).map { padded.getSlice(at: $0 * 64, length: 64) })
            #expect(parity == coder.encode(row: padded, cellSize: 64).parity)
        }
    }

    @Test("the data cells of a full row are the row's own bytes, and a cell that is there is handed back: nothing is copied")
    func noCopies() throws {
        let coder = ErasureCoder(code(4, 2))
        var row = SeededRandom(seed: 6).buffer(byteCount: 1033)
        row.moveReaderIndex(forwardBy: 9)
        func address(_ buffer: ByteBuffer) -> UnsafeRawPointer? { buffer.withUnsafeReadableBytes { $0.baseAddress } }
        let start = try #require(address(row))
        let (data, parity) = coder.encode(row: row, cellSize: 256)
        #expect(data.map(address) == (0..<4).map { start + $0 * 256 })
        let some = [0: data[0], 2: data[2], 3: data[3], 5: parity[1]]
        let computed = try coder.reconstruct([0, 1], from: some, cellSize: 256)
        #expect(computed[0].flatMap(address) == start)
        #expect(computed[1] == data[1])
    }

    @Test("too few cells, cells of other sizes and numbers that the code lacks are refused")
    func refusals() throws {
        let coder = ErasureCoder(code(4, 2))
        let cells = cells(coder, row: SeededRandom(seed: 7).buffer(byteCount: 256), cellSize: 64)
        #expect(throws: ErasureError.tooFewCells(given: 3, needed: 4)) {
            try coder.reconstruct([0], from: cells.filter { $0.key > 2 }, cellSize: 64)
        }
        #expect(throws: ErasureError.tooFewCells(given: 0, needed: 4)) { try coder.reconstruct([5], from: [:], cellSize: 64) }
        // Nothing has to be computed here.
        #expect(try coder.reconstruct([5, 4], from: cells.filter { $0.key > 2 }, cellSize: 64) == cells.filter { $0.key > 3 })
        #expect(try coder.reconstruct([], from: [:], cellSize: 64).isEmpty)
        var other = cells
        other[3] = ByteBuffer(repeating: 1, count: 63)
        other[0] = nil
        #expect(throws: ErasureError.wrongCellSize(number: 3, byteCount: 63, expected: 64)) {
            try coder.reconstruct([0], from: other, cellSize: 64)
        }
        #expect(throws: ErasureError.noSuchCell(number: 6)) { try coder.reconstruct([6], from: cells, cellSize: 64) }
        #expect(throws: ErasureError.noSuchCell(number: -1)) { try coder.reconstruct([0, -1], from: cells, cellSize: 64) }
        other = cells
        other[6] = cells[5]
        #expect(throws: ErasureError.noSuchCell(number: 6)) { try coder.reconstruct([0], from: other, cellSize: 64) }
    }

    @Test("many threads may encode and reconstruct with one coder, more patterns than it keeps")
    func concurrency() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let code = code(8, 4)
        let coder = ErasureCoder(code)
        let patterns = choices(of: 2, below: code.width)
        #expect(patterns.count > DecoderCache.capacity)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<16 {
                group.addTask {
                    let random = SeededRandom(seed: seed &+ UInt64(task))
                    for _ in 0..<100 {
                        let row = random.buffer(byteCount: 8 * 192)
                        let (data, parity) = coder.encode(row: row, cellSize: 192)
                        let cells = Dictionary(uniqueKeysWithValues: (data + parity).enumerated().map { ($0, $1) })
                        let lost = patterns[random.next(in: 0..<patterns.count)]
                        let computed = try coder.reconstruct(lost, from: cells.filter { !lost.contains($0.key) }, cellSize: 192)
                        #expect(computed == cells.filter { lost.contains($0.key) }, "without \(lost), seed \(seed)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

@Suite struct DecoderCacheTests {
    @Test("the tables of the last patterns are kept, and no more than there is room for")
    func leastRecentlyUsed() {
        let code = code(8, 4)
        let cache = DecoderCache(GeneratorMatrix(code))
        let patterns = choices(of: 8, below: code.width)
        _ = cache.tables(computing: [0], from: patterns[1])
        _ = cache.tables(computing: [0], from: patterns[1])
        #expect(cache.count == 1)
        // The same sources for another cell are another pattern.
        _ = cache.tables(computing: [1], from: patterns[1])
        #expect(cache.count == 2)
        for pattern in patterns.prefix(DecoderCache.capacity + 5) {
            _ = cache.tables(computing: [11], from: pattern)
            #expect(cache.holds([0], from: patterns[1]), "used between all others")
            _ = cache.tables(computing: [0], from: patterns[1])
        }
        #expect(cache.count == DecoderCache.capacity)
        #expect(!cache.holds([1], from: patterns[1]), "not used since")
    }
}

/// What makes a fragment on disk readable by a later version: parity must stay what it is.
@Suite struct CodingFormatTests {
    /// Cell `j` is the bytes 16 j + 7 x + 1.
    private func row(_ code: ErasureCode) -> ByteBuffer {
        ByteBuffer(bytes: (0..<code.dataCount).flatMap { cell in (0..<16).map { UInt8(truncatingIfNeeded: cell * 16 + $0 * 7 + 1) } })
    }

    @Test(
        "parity is what another program computed from the formulas",
        arguments: [
            (code(2, 1), ["810c77e29bf579275e106be6870a65e8"]),
            (code(4, 2), ["c8f515344956ab99e400e0dde3decaf7", "f2cf2f304d6c9175083adae7734ef0cd"]),
            (
                code(8, 3),
                ["106cb36d438903507e8a5529f68aa5d9", "bac619d3fd23a95d7320ff8308740f73", "5925faa98773f92709c31c60e39f661a"]
            ),
            (
                code(16, 4),
                [
                    "698ed3934a3e9b30e9f4a94ef116c621", "84633e4a93d3766bb21944a30fe82bcc", "ae4914bf667bde9e47336e897493b85f",
                    "43a4f9e43d9633479ede836433d455b2",
                ]
            ),
        ])
    func knownParity(code: ErasureCode, expected: [String]) {
        let parity = ErasureCoder(code).encode(row: row(code), cellSize: 16).parity
        #expect(parity.map { hexadecimal($0.readableBytesView) } == expected)
    }

    @Test(
        "the vector kernels compute what the formulas say, whatever the length", arguments: [1, 15, 16, 31, 32, 33, 63, 64, 65, 127, 4096])
    func formulas(cellSize: Int) {
        for code in someCodes {
            let row = SeededRandom(seed: UInt64(cellSize)).buffer(byteCount: code.dataCount * cellSize)
            let (data, parity) = ErasureCoder(code).encode(row: row, cellSize: cellSize)
            let cells = data.map { Array($0.readableBytesView) }
            for (number, cell) in parity.enumerated() {
                let coefficients = (0..<code.dataCount).map { inverse(UInt8((code.dataCount + number) ^ $0)) }
                let expected = (0..<cellSize).map { x in
                    (0..<code.dataCount).reduce(UInt8(0)) { $0 ^ product(coefficients[$1], cells[$1][x]) }
                }
                #expect(Array(cell.readableBytesView) == expected, "\(code), cells of \(cellSize) bytes")
            }
        }
    }

    /// In GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
    private func product(_ a: UInt8, _ b: UInt8) -> UInt8 {
        var a = a
        var sum: UInt8 = 0
        for bit in 0..<8 {
            if b >> bit & 1 == 1 { sum ^= a }
            a = a << 1 ^ (a >> 7 * 0x1D)
        }
        return sum
    }

    private func inverse(_ a: UInt8) -> UInt8 { (1...255).first { product(a, $0) == 1 } ?? 0 }
}
