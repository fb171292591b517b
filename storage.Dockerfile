# This stage is the same in distributor.Dockerfile and storage.Dockerfile, so that whoever builds both compiles once.
FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libisal-dev libsqlite3-dev pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN swift build -c release --static-swift-stdlib -Xlinker -s --product distributor \
    && swift build -c release --static-swift-stdlib -Xlinker -s --product storage \
    && mkdir /result \
    && cp .build/release/distributor .build/release/storage /result/

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libisal2 libsqlite3-0 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/chunkflow --shell /usr/sbin/nologin chunkflow \
    && install --directory --owner chunkflow --group chunkflow --mode 0750 /var/lib/chunkflow
COPY scripts/container-health.sh /usr/local/bin/container-health
COPY --from=build /result/storage /usr/local/bin/storage
USER chunkflow
# Inside the container every address is open; who may connect is decided by what is published.
ENV CHUNKFLOW_LISTEN=0.0.0.0:9001 \
    CHUNKFLOW_HTTP=0.0.0.0:9101 \
    CHUNKFLOW_DATA_DIR=/var/lib/chunkflow
VOLUME /var/lib/chunkflow
EXPOSE 9001 9101
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s \
    CMD container-health tcp "$CHUNKFLOW_LISTEN"
ENTRYPOINT ["storage"]
