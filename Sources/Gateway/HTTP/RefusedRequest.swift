/// An event that tells a stream's `FrontConnection` to refuse its request, which cannot be written as an HTTP/1.1
/// request.
struct RefusedRequest {
    let error: HeadError
}
