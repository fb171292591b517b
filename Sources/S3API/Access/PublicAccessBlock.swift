/// Four switches that keep a bucket from being opened to everybody ("Blocking public access to your Amazon S3 storage").
struct PublicAccessBlock: Hashable {
    enum Switch: String, CaseIterable {
        /// Lists that open something are refused.
        case blockPublicAcls = "BlockPublicAcls"
        /// Grants to everybody give nothing.
        case ignorePublicAcls = "IgnorePublicAcls"
        /// Policies that open something are refused.
        case blockPublicPolicy = "BlockPublicPolicy"
        /// A policy that opens something lets in the owner alone.
        case restrictPublicBuckets = "RestrictPublicBuckets"
    }

    let on: Set<Switch>

    init(on: Set<Switch> = []) { self.on = on }

    // MARK: As it is kept: the names of those that are on

    init(text: String?) { on = Set((text ?? "").split(separator: ",").compactMap { Switch(rawValue: String($0)) }) }

    var text: String { on.map(\.rawValue).sorted().joined(separator: ",") }

    // MARK: XML

    /// - Throws: ``S3Error`` `MalformedXML`.
    init(_ element: XMLElement) throws(S3Error) {
        var on: Set<Switch> = []
        for child in element.children {
            guard let name = Switch(rawValue: child.name), let isOn = Bool(child.trimmed.lowercased()) else { throw S3Error(.malformedXML) }
            if isOn { on.insert(name) }
        }
        self.on = on
    }

    func write(to writer: borrowing XMLWriter) {
        for name in Switch.allCases { writer.element(name.rawValue, on.contains(name)) }
    }
}

/// Whom objects belong to that others than the bucket's owner write, and whether there are access control lists at all.
enum ObjectOwnership: String {
    /// The bucket's owner owns everything in it; there are no lists.
    case bucketOwnerEnforced = "BucketOwnerEnforced"
    /// Those written with `bucket-owner-full-control` belong to the bucket's owner.
    case bucketOwnerPreferred = "BucketOwnerPreferred"
    /// Whoever writes an object owns it. So it is in a bucket that says nothing.
    case objectWriter = "ObjectWriter"

    /// - Throws: ``S3Error`` `InvalidArgument`.
    init(field: String) throws(S3Error) {
        guard let ownership = Self(rawValue: field) else {
            throw S3Error(.invalidArgument, "Invalid x-amz-object-ownership header: \(field)")
        }
        self = ownership
    }

    /// - Throws: ``S3Error`` `MalformedXML`.
    init(_ element: XMLElement) throws(S3Error) {
        let rules = element.all("Rule")
        guard rules.count == 1, let name = rules[0].value("ObjectOwnership"), let ownership = Self(rawValue: name) else {
            throw S3Error(.malformedXML)
        }
        self = ownership
    }
}
