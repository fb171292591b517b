public import Core

/// Who of several processes on one database does what only one of them may do.
///
/// No moment of time is kept or compared here, so it does not matter what the machines' clocks say: a holder renews its lease
/// from time to time, and whoever wants it measures, by a clock of its own, for how long the record has not changed.
public protocol LeaseStore: Sendable {
    /// Whether no other process can have the database open as long as this store has. Then there is nobody to agree with.
    var isExclusive: Bool { get }

    /// Takes the lease if nobody has it or if its record is still exactly `seen`, and renews it if `holder` has it. Atomic, and
    /// durable when it returns.
    /// - Parameter seen: a record of which the caller knows that its holder has given up, because it did not change for so long.
    /// - Returns: the record as it is then: of another holder when the lease was not to be had.
    func acquireLease(named name: String, for holder: LeaseHolder, replacing seen: LeaseRecord?) async throws -> LeaseRecord
    /// Gives the lease up, so that nobody has to wait. Does nothing when another one has it.
    func releaseLease(named name: String, by holder: LeaseHolder) async throws
}

/// One run of a process that takes leases.
public struct LeaseHolder: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

/// Who has a lease. Two records that are equal are the same one: nothing happened in between.
public struct LeaseRecord: Hashable, Sendable {
    /// nil when it was given up.
    public let holder: LeaseHolder?
    /// Greater with every change of the holder.
    public let epoch: Int64
    /// How often the holder has renewed it.
    public let renewals: Int64

    public init(holder: LeaseHolder?, epoch: Int64, renewals: Int64) {
        self.holder = holder
        self.epoch = epoch
        self.renewals = renewals
    }
}
