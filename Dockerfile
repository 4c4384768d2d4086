# Outlay's server: one process, embedded ClickHouse unless OUTLAY_STORE_DSN names a server.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/outlay && /opt/outlay/bin/pip install --no-cache-dir -r requirements.lock
COPY sdk sdk
COPY collector collector
COPY analytics analytics
COPY web web
RUN /opt/outlay/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/outlay outlay
COPY --from=build /opt/outlay /opt/outlay
ENV PATH=/opt/outlay/bin:$PATH PYTHONUNBUFFERED=1
USER outlay
VOLUME /var/lib/outlay
EXPOSE 4318 4317
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:4318/readyz', timeout=2)"]
# Beyond loopback a bootstrap key and a password are required: OUTLAY_BOOTSTRAP_KEY and OUTLAY_PASSWORD.
CMD ["outlay", "serve", "--host", "0.0.0.0", "--data", "/var/lib/outlay"]
