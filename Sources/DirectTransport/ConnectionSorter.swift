internal import NIOCore

/// Stands in front of an accepted connection until its first byte has told what it is: a direct connection, or HTTP/2, whose handlers
/// behind it learn of the connection then.
final class ConnectionSorter: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = Never

    private let server: DirectServerTransport
    private let patience: TimeAmount
    private var isSorted = false
    private var deadline: Scheduled<Void>?

    /// - Parameter patience: how long a caller may say nothing.
    init(server: DirectServerTransport, patience: TimeAmount) {
        self.server = server
        self.patience = patience
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) { begin(context) }

    private func begin(_ context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        if isSorted { context.fireChannelInactive() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Nobody is there yet who could shut down in order.
        if event is ChannelShouldQuiesceEvent { context.close(promise: nil) } else { context.fireUserInboundEventTriggered(event) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isSorted, let first = unwrapInboundIn(data).readableBytesView.first else { return context.fireChannelRead(data) }
        isSorted = true
        deadline?.cancel()
        if first == DirectProtocol.opening[0] {
            do {
                try server.accept(context.channel, behind: self)
            } catch {
                return context.close(promise: nil)
            }
        } else {
            context.fireChannelActive()
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) { if isSorted { context.fireChannelReadComplete() } }
}
