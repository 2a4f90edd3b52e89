// swift-tools-version: 6.2

import PackageDescription

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")

let package = Package(
    name: "documents-app",
    dependencies: [
        // In your package: .package(url: "https://…/keyward", …)
        .package(name: "keyward", path: "../.."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "DocumentsApp",
            dependencies: [
                hummingbird,
                .product(name: "KeywardMiddleware", package: "keyward"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "DocumentsAppTests",
            dependencies: [
                "DocumentsApp", hummingbird,
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "KeywardMiddlewareTesting", package: "keyward"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
    ]
)
