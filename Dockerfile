# syntax=docker/dockerfile:1
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libpq-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY migrations ./migrations
COPY Sources ./Sources
COPY Tests ./Tests
COPY Benchmarks ./Benchmarks
# The flags are those of `make release`.
RUN swift build -c release --product keyward --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked \
    && install -D .build/release/keyward /out/keyward

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libpq5 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home keyward
COPY --from=build /out/keyward /usr/local/bin/keyward
USER keyward
EXPOSE 8080 9090
ENV KEYWARD_GATEWAY_ADDRESS=0.0.0.0:8080 KEYWARD_CONTROL_ADDRESS=0.0.0.0:9090
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
    CMD ["keyward", "health"]
ENTRYPOINT ["keyward"]
CMD ["serve"]
