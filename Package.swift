// swift-tools-version: 6.2
//
// Keyward builds on Linux only: LibPQ and the command use epoll, Glibc and /proc.

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let nio: [Target.Dependency] = ["NIOCore", "NIOPosix", "NIOHTTP1"].map {
    .product(name: $0, package: "swift-nio")
}
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
/// The commit that `keyward --version` prints. `make release` sets it; a build outside of a repository has none.
let commit = Context.environment["KEYWARD_COMMIT", default: ""].filter { $0.isHexDigit || "-dirty".contains($0) }

let package = Package(
    name: "keyward",
    products: [
        .executable(name: "keyward", targets: ["keyward"]),
        .library(name: "KeywardMiddleware", targets: ["KeywardMiddleware"]),
        .library(name: "KeywardMiddlewareTesting", targets: ["KeywardMiddlewareTesting"]),
    ],
    // The default traits of some packages import all of Foundation, whose tables of languages and calendars add 40 MB.
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibPQ",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"])]
        ),
        .target(name: "CBuild", cSettings: [.define("KEYWARD_COMMIT", to: "\"\(commit)\"")]),
        .target(name: "LibPQ", dependencies: ["CLibPQ", logging], swiftSettings: strict),
        .target(name: "AuthKeys", dependencies: [crypto, logging, metrics], swiftSettings: strict),
        .target(
            name: "KeyAdministration",
            dependencies: ["AuthKeys", "HTTPCredentials", "RequestLog", crypto, logging, metrics],
            swiftSettings: strict
        ),
        .target(name: "HTTPCredentials", dependencies: ["AuthKeys"], swiftSettings: strict),
        .target(
            name: "RequestLog", dependencies: ["AuthKeys", "HTTPCredentials", logging, metrics],
            swiftSettings: strict
        ),
        .target(
            name: "RequestLogPostgres",
            dependencies: ["AuthKeys", "AuthKeysPostgres", "HTTPCredentials", "LibPQ", "RequestLog", logging, metrics],
            swiftSettings: strict
        ),
        .target(
            name: "AuthKeysPostgres",
            dependencies: ["AuthKeys", "LibPQ", crypto, lifecycle, logging, metrics],
            resources: [.embedInCode("SQL")],
            swiftSettings: strict
        ),
        .target(
            name: "KeyAdministrationPostgres",
            dependencies: [
                "AuthKeys", "AuthKeysPostgres", "HTTPCredentials", "KeyAdministration", "LibPQ", "RequestLog", logging,
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Listening", dependencies: [logging, .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: strict
        ),
        .target(
            name: "Gateway",
            dependencies: [
                "AuthKeys", "HTTPCredentials", "Listening", "RequestLog", lifecycle, logging, metrics,
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ] + nio,
            swiftSettings: strict
        ),
        .target(name: "ControlBodies", dependencies: ["AuthKeys"], swiftSettings: strict),
        .target(
            name: "ControlAPI",
            dependencies: [
                "AuthKeys", "CBuild", "ControlBodies", "HTTPCredentials", "KeyAdministration", "Listening",
                "RequestLog", hummingbird, crypto, lifecycle, logging, metrics,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationEssentialsCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
            ],
            resources: [
                .embedInCode("OpenAPI/openapi.json"), .embedInCode("OpenAPI/Reference/reference.css"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "KeywardGuard",
            dependencies: [
                "AuthKeys", "HTTPCredentials", hummingbird, lifecycle,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "KeywardMiddleware",
            dependencies: [
                "AuthKeys", "AuthKeysPostgres", "HTTPCredentials", "KeywardGuard", "LibPQ", "RequestLog",
                "RequestLogPostgres", lifecycle, logging,
            ],
            swiftSettings: strict
        ),
        .target(
            name: "KeywardMiddlewareTesting",
            dependencies: [
                "AuthKeys", "HTTPCredentials", "KeyAdministration", "KeywardGuard", lifecycle, logging,
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "EmbeddedPostgres",
            dependencies: [logging, subprocess, system],
            swiftSettings: strict
        ),
        .target(
            name: "KeywardServer",
            dependencies: [
                "AuthKeys", "AuthKeysPostgres", "ControlAPI", "ControlBodies", "EmbeddedPostgres", "Gateway",
                "HTTPCredentials", "KeyAdministration", "KeyAdministrationPostgres", "LibPQ", "RequestLog",
                "RequestLogPostgres", crypto, hummingbird, lifecycle, logging, metrics,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "NIOFoundationEssentialsCompat", package: "swift-nio"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + nio,
            swiftSettings: strict
        ),
        .executableTarget(name: "keyward", dependencies: ["KeywardServer"], swiftSettings: strict),
        .executableTarget(
            name: "KeyBenchmark",
            dependencies: [
                "AuthKeys", "AuthKeysPostgres", "EmbeddedPostgres", "HTTPCredentials", "LibPQ", "RequestLog",
                "RequestLogPostgres", crypto, logging,
            ],
            path: "Benchmarks/KeyBenchmark",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "HummingbirdHello", dependencies: [hummingbird, logging], path: "Benchmarks/HummingbirdHello",
            swiftSettings: strict
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "AuthKeys", "EmbeddedPostgres", "HTTPCredentials", "KeyAdministration", "RequestLog", logging,
                subprocess, system,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/TestSupport",
            swiftSettings: strict
        ),
        .testTarget(
            name: "AuthKeysTests",
            dependencies: [
                "AuthKeys", "HTTPCredentials", "KeyAdministration", "RequestLog", "TestSupport", crypto, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "RequestLogTests",
            dependencies: ["AuthKeys", "HTTPCredentials", "RequestLog", "TestSupport", logging],
            swiftSettings: strict
        ),
        .testTarget(
            name: "RequestLogPostgresTests",
            dependencies: [
                "AuthKeys", "AuthKeysPostgres", "HTTPCredentials", "LibPQ", "RequestLog", "RequestLogPostgres",
                "TestSupport", logging,
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AuthKeysPostgresTests",
            dependencies: [
                "AuthKeys", "AuthKeysPostgres", "HTTPCredentials", "KeyAdministration", "KeyAdministrationPostgres",
                "LibPQ", "RequestLog", "TestSupport", logging,
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ControlAPITests",
            dependencies: [
                "AuthKeys", "ControlAPI", "ControlBodies", "HTTPCredentials", "KeyAdministration", "RequestLog",
                "TestSupport", crypto, hummingbird, logging,
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ] + nio,
            swiftSettings: strict
        ),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "AuthKeys", "Gateway", "HTTPCredentials", "KeyAdministration", "Listening", "RequestLog", "TestSupport",
                lifecycle,
                logging,
                metrics,
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio,
            swiftSettings: strict
        ),
        .testTarget(
            name: "KeywardMiddlewareTests",
            dependencies: [
                "AuthKeys", "AuthKeysPostgres", "HTTPCredentials", "KeyAdministration", "KeyAdministrationPostgres",
                "KeywardMiddleware", "KeywardMiddlewareTesting", "LibPQ", "RequestLog", "TestSupport",
                hummingbird, lifecycle, logging,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "LibPQTests", dependencies: ["CLibPQ", "LibPQ", "TestSupport", logging], swiftSettings: strict),
        .testTarget(
            name: "KeywardServerTests",
            dependencies: [
                "AuthKeys", "ControlAPI", "ControlBodies", "Gateway", "HTTPCredentials", "KeywardServer", "keyward",
                "RequestLog", "RequestLogPostgres", "TestSupport", logging, subprocess, system,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DecisionTests",
            dependencies: [
                "KeywardMiddleware", "keyward", "TestSupport", hummingbird, logging,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ExamplesTests", dependencies: ["AuthKeys", "keyward", "TestSupport"] + nio, swiftSettings: strict),
        .testTarget(
            name: "ClientTests",
            dependencies: [
                "AuthKeys", "HTTPCredentials", "keyward", "TestSupport",
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            exclude: ["Python"], swiftSettings: strict),
        .testTarget(
            name: "EmbeddedPostgresTests",
            dependencies: ["EmbeddedPostgres", "TestSupport", logging, subprocess, system],
            swiftSettings: strict
        ),
    ]
)
