import NIOCore
import NIOHTTP1
import Testing

@testable import S3API

@Suite("Access control lists")
struct AccessControlListTests {
    @Test("groups come first, then accounts as they were given, permissions in their order")
    func order() {
        let list = AccessControlList([
            .init(grantee: .account("owner"), permission: .fullControl), .init(grantee: .account("alice"), permission: .writeAccessControl),
            .init(grantee: .account("alice"), permission: .read), .init(grantee: .everyone, permission: .write),
            .init(grantee: .authenticated, permission: .read), .init(grantee: .everyone, permission: .read),
            .init(grantee: .account("alice"), permission: .read),
        ])
        #expect(
            list.grants == [
                .init(grantee: .everyone, permission: .read), .init(grantee: .everyone, permission: .write),
                .init(grantee: .authenticated, permission: .read), .init(grantee: .account("owner"), permission: .fullControl),
                .init(grantee: .account("alice"), permission: .read), .init(grantee: .account("alice"), permission: .writeAccessControl),
            ])
    }

    @Test("a list is kept and read again; one of its owner alone is not kept, one that is broken opens nothing")
    func text() throws {
        #expect(try AccessControlList.owned(by: "a$b").text(owner: "a$b") == nil)
        #expect(AccessControlList(text: nil, owner: "a$b") == .owned(by: "a$b"))
        for canned in [CannedList.publicReadWrite, .authenticatedRead, .bucketOwnerRead] {
            let list = canned.list(owner: "account:x", bucketOwner: "y")
            #expect(AccessControlList(text: try list.text(owner: "account:x"), owner: "account:x") == list)
        }
        let text = try CannedList.publicRead.list(owner: "o", bucketOwner: "o").text(owner: "o")
        #expect(text == #"{"grants":[{"grantee":"everyone","permission":"READ"},{"grantee":"account:o","permission":"FULL_CONTROL"}]}"#)
        #expect(try AccessControlList([]).text(owner: "o") == #"{"grants":[]}"#)
        #expect(AccessControlList(text: "{", owner: "o") == AccessControlList([]))
    }

    @Test("grants in the header, with and without quotation marks")
    func header() throws {
        let headers: HTTPHeaders = [
            "x-amz-grant-read": #"id="a", emailAddress="b@example.com""#, "X-Amz-Grant-Full-Control": "id=c",
            "x-amz-grant-write-acp": "uri=http://acs.amazonaws.com/groups/global/AllUsers",
        ]
        #expect(
            try GivenList(headers)
                == .grants([
                    .init(grantee: .id("a"), permission: .read), .init(grantee: .email("b@example.com"), permission: .read),
                    .init(grantee: .group(uri: "http://acs.amazonaws.com/groups/global/AllUsers"), permission: .writeAccessControl),
                    .init(grantee: .id("c"), permission: .fullControl),
                ]))
        #expect(try GivenList([:]) == nil)
        #expect(try GivenList(["x-amz-acl": "public-read"]) == .canned(.publicRead))
    }

    @Test(
        "lists that are none",
        arguments: [
            ("x-amz-acl: public-ready", S3Error.Code.invalidArgument), ("x-amz-acl: log-delivery-write", .notImplemented),
            ("x-amz-grant-read: alice", .invalidArgument), ("x-amz-grant-read: name=alice", .invalidArgument),
            ("x-amz-grant-read: id=a\nx-amz-acl: private", .invalidRequest),
        ])
    func refusedHeaders(header: String, code: S3Error.Code) {
        let fields = header.split(separator: "\n").map { $0.split(separator: ": ", maxSplits: 1).map(String.init) }
        let headers = HTTPHeaders(fields.map { ($0[0], $0[1]) })
        do {
            _ = try GivenList(headers)
            Issue.record("it was accepted")
        } catch {
            #expect(error.code == code)
        }
    }

    @Test("a document of grants, in whatever order its elements come")
    func document() throws {
        let text = """
            <AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><AccessControlList>
            <Grant><Permission>READ</Permission><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
            <URI>http://acs.amazonaws.com/groups/global/AuthenticatedUsers</URI></Grantee></Grant>
            <Grant><Grantee><ID>alice</ID></Grantee><Permission>WRITE_ACP</Permission></Grant></AccessControlList></AccessControlPolicy>
            """
        #expect(
            try GivenList(XMLElement.parse(ByteBuffer(string: text)))
                == .grants([
                    .init(grantee: .group(uri: "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"), permission: .read),
                    .init(grantee: .id("alice"), permission: .writeAccessControl),
                ]))
        for text in [
            "<AccessControlPolicy/>", "<Other><AccessControlList/></Other>",
            "<AccessControlPolicy><AccessControlList><Grant/></AccessControlList></AccessControlPolicy>",
            text.replacing("WRITE_ACP", with: "EVERYTHING"), text.replacing("<ID>alice</ID>", with: ""),
        ] {
            #expect(throws: S3Error(.malformedACL)) { try GivenList(XMLElement.parse(ByteBuffer(string: text))) }
        }
    }
}
