internal import CISAL
internal import NIOCore

/// Coefficients expanded into the tables of ISA-L's kernels, 32 bytes for each.
package struct CodingTables: Sendable {
    private let sourceCount: Int
    private let resultCount: Int
    private let bytes: [UInt8]

    /// - Parameter coefficients: for each result, one for each source.
    init(coefficients: [UInt8], sourceCount: Int) {
        precondition(!coefficients.isEmpty && coefficients.count.isMultiple(of: sourceCount))
        let resultCount = coefficients.count / sourceCount
        self.sourceCount = sourceCount
        self.resultCount = resultCount
        // ISA-L reads them only; its header knows no const.
        var coefficients = coefficients
        bytes = [UInt8](unsafeUninitializedCapacity: 32 * coefficients.count) { tables, count in
            ec_init_tables(Int32(sourceCount), Int32(resultCount), &coefficients, tables.baseAddress)
            count = 32 * coefficients.count
        }
    }

    /// The results one after another, each as long as a source.
    /// - Precondition: there are as many sources as coefficients for each result, all equally long, none empty.
    func apply(to sources: [UnsafeRawBufferPointer]) -> ByteBuffer {
        let size = sources.first?.count ?? 0
        precondition(sources.count == sourceCount && size > 0 && sources.allSatisfy { $0.count == size })
        var results = ByteBufferAllocator().buffer(capacity: resultCount * size)
        results.writeWithUnsafeMutableBytes(minimumWritableBytes: resultCount * size) { target in
            bytes.withUnsafeBufferPointer { tables in
                var inputs = sources.map { UnsafeMutablePointer(mutating: $0.baseAddress?.assumingMemoryBound(to: UInt8.self)) }
                var outputs = (0..<resultCount).map { number in
                    target.baseAddress?.advanced(by: number * size).assumingMemoryBound(to: UInt8.self)
                }
                ec_encode_data(
                    Int32(size), Int32(sourceCount), Int32(resultCount), UnsafeMutablePointer(mutating: tables.baseAddress), &inputs,
                    &outputs)
            }
            return resultCount * size
        }
        return results
    }
}
