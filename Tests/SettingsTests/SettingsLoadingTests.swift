import Core
import Foundation
import Settings
import Testing

@Suite("Loading settings")
struct SettingsLoadingTests {
    @Test("without anything given, every setting has its default")
    func defaults() throws {
        let distributor = try SettingsFixture().distributor()
        #expect(distributor.gateway.http == HostPort(host: "127.0.0.1", port: 8080))
        #expect(distributor.gateway.replicas == 3)
        #expect(distributor.gateway.writeQuorum == 2)
        #expect(distributor.gateway.chunkSize == 8 << 20)
        #expect(distributor.gateway.rootKey == nil)
        #expect(distributor.storageNodes.isEmpty)
        #expect(distributor.process.dataDirectory == "./data")
        #expect(distributor.process.durability == .fsync)
        #expect(distributor.process.shutdownTimeout == .seconds(30))
        let server = try SettingsFixture().server()
        #expect(server.nodeCount == 4)
        #expect(server.gateway.replicas == 2)
        #expect(server.gateway.writeQuorum == 2)
        let storage = try SettingsFixture().storage()
        #expect(storage.listen == HostPort(host: "127.0.0.1", port: 9001))
        #expect(storage.join == nil)
        #expect(storage.zone == nil)
    }

    @Test("a flag comes before the environment, the environment before the file, the file before the default")
    func precedence() throws {
        var fixture = SettingsFixture(file: "http: file:1\ns3: file:2\ncluster: file:3\n")
        fixture.environment = ["CHUNKFLOW_HTTP": "variable:1", "CHUNKFLOW_S3": "variable:2"]
        fixture.flags = ["--http", "flag:1"]
        let gateway = try fixture.distributor().gateway
        #expect(gateway.http == HostPort(host: "flag", port: 1))
        #expect(gateway.s3 == HostPort(host: "variable", port: 2))
        #expect(gateway.cluster == HostPort(host: "file", port: 3))
        #expect(gateway.replicas == 3)
    }

    /// A file that is there and can be read, for as long as the process runs.
    private static let keysFile: String = {
        let path = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString).yaml").path
        let key = Data(repeating: 7, count: 32).base64EncodedString()
        // Without it the settings are refused, which the test says.
        _ = FileManager.default.createFile(atPath: path, contents: Data("first: \(key)\n".utf8))
        return path
    }()

    /// One good value for every setting.
    private static let values = [
        "http": "a:1", "admin": "a:2", "admin-token": "admin-token", "log-format": "text",
        "otlp-endpoint": "http://collector:4318", "trace-sample": "0.5",
        "s3": "b:2", "cluster": "c:3", "listen": "d:4", "advertise": "e:5", "join": "f:6", "storage-nodes": "g:7,h:8",
        "data-dir": "/srv/x", "nodes": "7", "zone": "r1", "replicas": "5", "write-quorum": "1", "storage-class": "ec-4-2",
        "chunk-size": "1MiB",
        "node-grace": "60", "rebalance-rate": "1MiB", "scrub-period": "60",
        "metadata-snapshot-interval": "60", "metadata-snapshots": "5",
        "durability": "none", "cluster-secret": "cluster-secret", "root-access-key": "root", "root-secret-key": "root-secret",
        "s3-domain": "s3.example.com,localhost", "s3-region": "eu-west-1", "kms-keys-file": keysFile, "lifecycle-day": "2",
        "log-level": "debug", "shutdown-timeout": "5",
    ]

    @Test("every setting means the same as a flag, as a variable and as a key of the file", arguments: Executable.allCases)
    func sameEverywhere(executable: Executable) throws {
        let settings = SettingsTable.settings(of: executable).filter(\.isAllowedInFile)
        func load(_ fixture: SettingsFixture) throws -> AnyHashable {
            switch executable {
            case .server: try fixture.server()
            case .distributor: try fixture.distributor()
            case .storage: try fixture.storage()
            }
        }
        let values = try settings.map { ($0, try #require(Self.values[$0.name])) }
        let byFlag = try load(SettingsFixture(flags: values.flatMap { ["--\($0.0.name)", $0.1] }))
        let pairs = values.map { ($0.0.environmentVariable, $0.1) }
        let byVariable = try load(SettingsFixture(environment: Dictionary(uniqueKeysWithValues: pairs)))
        let byFile = try load(SettingsFixture(file: values.map { "\($0.0.name): \($0.1)\n" }.joined()))
        #expect(byFlag == byVariable)
        #expect(byFlag == byFile)
        #expect(try byFlag != load(SettingsFixture()))
        // None of them goes unread: with any one left out the outcome differs.
        for (left, _) in values where !left.name.hasPrefix("root-") {
            let rest = values.filter { $0.0.name != left.name }
            #expect(try load(SettingsFixture(flags: rest.flatMap { ["--\($0.0.name)", $0.1] })) != byFlag, "\(left.name)")
        }
    }

    @Test("storage nodes may be a list in the file, or a string with commas")
    func storageNodesList() throws {
        let expected = [HostPort(host: "storage1", port: 9001), HostPort(host: "::1", port: 9002)]
        #expect(try SettingsFixture(file: "storage-nodes:\n  - storage1:9001\n  - \"[::1]:9002\"\n").distributor().storageNodes == expected)
        #expect(try SettingsFixture(environment: ["STORAGE_NODES": "storage1:9001, [::1]:9002"]).distributor().storageNodes == expected)
    }

    @Test("where traces go is said by the flag, the variable, the file, and last by OpenTelemetry's own variable")
    func otlpEndpoint() throws {
        var fixture = SettingsFixture(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318/base/"])
        #expect(try fixture.storage().process.otlpEndpoint == "http://otel:4318/base/v1/traces")
        fixture.environment["CHUNKFLOW_OTLP_ENDPOINT"] = ""
        #expect(try fixture.server().process.otlpEndpoint == "http://otel:4318/base/v1/traces")
        fixture.file = "otlp-endpoint: http://file:4318"
        #expect(try fixture.distributor().process.otlpEndpoint == "http://file:4318")
        fixture.environment["CHUNKFLOW_OTLP_ENDPOINT"] = "http://variable:4318"
        #expect(try fixture.distributor().process.otlpEndpoint == "http://variable:4318")
        fixture.flags = ["--otlp-endpoint", "http://flag:4318"]
        #expect(try fixture.distributor().process.otlpEndpoint == "http://flag:4318")
        #expect(try SettingsFixture(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": ""]).storage().process.otlpEndpoint == nil)
        #expect(try SettingsFixture().storage().process.otlpEndpoint == nil)
    }

    @Test("names of the server may be a list in the file, and are compared in lower case")
    func s3Domains() throws {
        let expected = ["s3.example.com", "localhost"]
        #expect(try SettingsFixture(file: "s3-domain:\n  - S3.example.com\n  - localhost\n").distributor().gateway.s3Domains == expected)
        #expect(try SettingsFixture(flags: ["--s3-domain", "s3.Example.com, localhost"]).server().gateway.s3Domains == expected)
        #expect(try SettingsFixture().server().gateway.s3Domains == [])
    }

    @Test("an empty variable counts as not set, a file of comments sets nothing")
    func nothingSet() throws {
        let fixture = SettingsFixture(environment: ["STORAGE_NODES": "", "CHUNKFLOW_HTTP": ""], file: "# http: a:1\n\n   # s3: b:2\n")
        #expect(try fixture.distributor() == SettingsFixture().distributor())
    }

    @Test("the settings file can be named by a variable")
    func fileByVariable() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString).yaml").path
        try Data("replicas: 7".utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try SettingsFixture(environment: ["CHUNKFLOW_CONFIG": path]).distributor().gateway.replicas == 7)
    }

    @Test("whoever asks for one copy needs no quorum of two")
    func quorumFollowsReplicas() throws {
        #expect(try SettingsFixture(flags: ["--replicas", "1"]).distributor().gateway.writeQuorum == 1)
        #expect(try SettingsFixture(flags: ["--replicas", "1"]).server().gateway.writeQuorum == 1)
        #expect(try SettingsFixture(flags: ["--replicas", "5"]).distributor().gateway.writeQuorum == 2)
    }
}
