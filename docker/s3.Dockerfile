# The S3 store of compose.yaml: VersityGW over a directory, the same server and version that the tests use.
FROM golang:1.26-alpine AS build
RUN CGO_ENABLED=0 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

FROM alpine:3.22
COPY --from=build /go/bin/versitygw /usr/local/bin/versitygw
RUN install -d -o 10001 -g 10001 -m 0750 /data
USER 10001:10001
VOLUME /data
EXPOSE 7070
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=5 CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:7070/health"]
ENTRYPOINT ["versitygw", "--port", "0.0.0.0:7070", "--region", "us-east-1", "--health", "/health", "posix", "/data"]
