# syntax=docker/dockerfile:1
FROM swift:6.3-bookworm AS toolchain
RUN apt-get update && apt-get install -y --no-install-recommends libpq-dev make pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# What the dependencies are built from. It seldom changes, and the next stage is cached while it does not.
FROM toolchain AS outline
COPY . .
RUN scripts/outline /outline

# The dependencies, fetched and built in layers of their own. No version but those of scripts/components.txt is accepted.
FROM toolchain AS build
COPY --from=outline /outline ./
RUN swift package resolve && scripts/components restore
RUN make dependencies && rm -r Sources Tests Benchmarks
COPY . .
RUN scripts/components check && make binary && mkdir /out && strip -o /out/keyward .build/release/keyward

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libpq5 libstdc++6 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 keyward \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin keyward
COPY --from=build /out/keyward /usr/local/bin/keyward
# By number, so that an orchestrator can tell that it is not root. Nothing is written: the root may be read-only.
USER 10001:10001
EXPOSE 8080 9090
ENV KEYWARD_GATEWAY_ADDRESS=0.0.0.0:8080 KEYWARD_CONTROL_ADDRESS=0.0.0.0:9090
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["keyward", "health"]
ENTRYPOINT ["keyward"]
CMD ["serve"]
