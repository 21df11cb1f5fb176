"""How much a sender may send: the rate of requests. Sizes are settings.BLOOP.ingest, checked where bodies are read."""

from django.conf import settings

from accounts.throttle import Limit, Throttle

ingest_throttle = Throttle(Limit("ingest", settings.BLOOP.rate_limit.per_second, settings.BLOOP.rate_limit.burst_size))
