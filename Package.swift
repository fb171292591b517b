// swift-tools-version: 6.2
import PackageDescription

// Layers, arrows pointing down only (docs/architecture.md):
//
//   distributor   storage   chunkflow          executables: parse arguments, run
//            ServerAssembly    Client          wiring of the server roles | the command line client
//   RESTAPI   AdminAPI   ClusterService        edges: HTTP and gRPC to domain calls
//      HTTPEdge |      |    StorageService         APIDescription (openapi.yaml, for AdminAPI to serve)
//        ObjectStore         |                 write and read path, repair, collection
//   Metadata  Placement  ErasureCoding  ChunkTransport  ChunkStore      PrometheusMetrics, Telemetry (backends of swift-metrics and -tracing)
//                 Core                         no I/O

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let grpcCore: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport: Target.Dependency = .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let grpcProtobuf: Target.Dependency = .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let swiftProtobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

/// A target into which its tests look. In release, too: that is what is tested.
func testable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings + [.unsafeFlags(["-enable-testing"])])
}

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

let package = Package(
    name: "chunkFlow",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "distributor", targets: ["distributor"]),
        .executable(name: "storage", targets: ["storage"]),
        .executable(name: "chunkflow", targets: ["chunkflow"]),
        .executable(name: "chunkstore-benchmark", targets: ["chunkstore-benchmark"]),
        .executable(name: "erasure-benchmark", targets: ["erasure-benchmark"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
        .systemLibrary(name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
        .systemLibrary(name: "CLinux"),

        library("Core", ["CISAL", nioCore, nioPosix, crypto]),
        library("PrometheusMetrics", [metrics]),
        library("Traces", [tracing]),
        library("Telemetry", ["Core", "Traces", asyncHTTPClient, nioCore, nioHTTP1, lifecycle, logging, metrics, tracing]),
        library("ChunkStore", ["CLinux", "Core", nioCore, logging, metrics]),
        library("Placement", ["Core"]),
        library("ErasureCoding", ["CISAL", "Core", nioCore, metrics]),
        library("Metadata", ["Core", grdb, sqlite, logging, metrics]),
        library("DirectTransport", ["Core", nioCore, nioPosix, grpcCore]),
        library("ClusterProtocol", ["Core", "DirectTransport", nioCore, grpcCore, grpcProtobuf, swiftProtobuf, grpcTransport]),
        library(
            "ChunkTransport",
            [
                "Core", "ChunkStore", "ClusterProtocol", "DirectTransport", "ErasureCoding", nioCore, nioPosix, grpcCore, grpcTransport,
                grpcProtobuf, swiftProtobuf, lifecycle, logging, metrics, tracing, "Traces",
            ]),
        library(
            "ObjectStore",
            [
                "Core", "ErasureCoding", "Metadata", "Placement", "ChunkTransport", "Traces", nioCore, crypto, logging, metrics, tracing,
            ]),
        library(
            "StorageService",
            [
                "Core", "ChunkTransport", "ClusterProtocol", "DirectTransport", "ErasureCoding", nioCore, nioPosix, grpcCore,
                grpcTransport, grpcProtobuf, swiftProtobuf, lifecycle, logging, metrics, tracing, "Traces",
            ]),
        library(
            "ClusterService",
            ["Core", "ChunkTransport", "ObjectStore", "StorageService", "ClusterProtocol", nioCore, grpcCore, swiftProtobuf, logging]),
        library("HTTPEdge", ["Core", nioCore, nioPosix, nioHTTP1, lifecycle, logging, metrics, tracing]),
        library("RESTAPI", ["Core", "ErasureCoding", "HTTPEdge", "Metadata", "ObjectStore", nioCore, nioHTTP1]),
        .target(
            name: "APIDescription", dependencies: [crypto, yams],
            // In the executable: a container has nothing beside it.
            resources: [.embedInCode("openapi.yaml"), .embedInCode("docs.css")], swiftSettings: swiftSettings),
        library(
            "AdminAPI",
            [
                "APIDescription", "ChunkTransport", "Core", "ErasureCoding", "HTTPEdge", "ObjectStore", "PrometheusMetrics", nioCore,
                nioHTTP1,
            ]),
        library("SignatureV4", ["Core", crypto]),
        testable(
            "S3API", ["CLibXML2", "Core", "HTTPEdge", "Metadata", "ObjectStore", "SignatureV4", nioCore, nioHTTP1, crypto, logging]),
        library("Settings", ["Core", "ErasureCoding", configuration, arguments, yams]),
        library(
            "ServerAssembly",
            [
                "Core", "ChunkStore", "Placement", "Metadata", "ChunkTransport", "ObjectStore", "StorageService", "ClusterService",
                "ErasureCoding", "HTTPEdge", "PrometheusMetrics", "RESTAPI", "S3API", "AdminAPI", "Settings", "Telemetry", "CLinux",
                metrics,
                tracing, lifecycle,
                unixSignals, nioCore, nioPosix,
                grpcCore,
                grpcTransport, logging,
            ]),
        library("Client", ["Core", "SignatureV4", asyncHTTPClient, arguments, nioCore, nioPosix, nioHTTP1, unixSignals]),

        executable("distributor", ["ServerAssembly", "Settings", arguments]),
        executable("storage", ["ServerAssembly", "Settings", arguments]),
        executable("chunkflow", ["ServerAssembly", "Settings", "Client", arguments]),
        executable("chunkstore-benchmark", ["Core", "ChunkStore", arguments, nioCore, logging]),
        executable("erasure-benchmark", ["CISAL", "Core", "ErasureCoding", arguments, nioCore]),

        tests("PrometheusMetricsTests", ["PrometheusMetrics", metrics]),
        tests("TelemetryTests", ["Telemetry", "Traces", "Core", logging, tracing, nioCore, nioPosix, nioHTTP1]),
        tests("CoreTests", ["Core", nioCore]),
        tests("ChunkStoreTests", ["ChunkStore", "Core", nioCore, logging]),
        tests("PlacementTests", ["Placement", "Core"]),
        tests("ErasureCodingTests", ["ErasureCoding", "Core", nioCore]),
        tests("MetadataTests", ["Metadata", "Core", grdb, logging]),
        tests("DirectTransportTests", ["DirectTransport", "Core", nioCore, nioPosix, grpcCore]),
        tests(
            "ClusterTests",
            [
                "ServerAssembly", "ClusterService", "StorageService", "ObjectStore", "Metadata", "ChunkTransport", "ChunkStore",
                "ClusterProtocol", "Core", "ErasureCoding", nioCore, nioPosix, grpcCore, grpcTransport, grpcProtobuf, swiftProtobuf,
                lifecycle, logging,
            ]),
        tests(
            "RESTAPITests",
            [
                "ServerAssembly", "RESTAPI", "AdminAPI", "APIDescription", "HTTPEdge", "ErasureCoding", "ObjectStore", "Metadata",
                "PrometheusMetrics", "S3API", "SignatureV4", "Core", nioCore, nioPosix, nioHTTP1, logging,
            ]),
        tests("ServerAssemblyTests", ["ServerAssembly", "Core", logging]),
        tests("S3APITests", ["S3API", "SignatureV4", "HTTPEdge", "ObjectStore", "Metadata", "Core", nioCore, nioHTTP1, logging]),
        tests("SettingsTests", ["Settings", "Core", arguments]),
        tests("ClientTests", ["Client", "Core", "SignatureV4", arguments, nioCore, nioPosix, nioHTTP1]),
        tests("ObjectStoreTests", ["ChunkTransport", "ObjectStore", "Metadata", "Placement", "Core", nioCore]),
        tests(
            "SimulationTests",
            ["ErasureCoding", "ObjectStore", "ChunkTransport", "ChunkStore", "Metadata", "Placement", "Core", nioCore, logging]),
    ]
)
