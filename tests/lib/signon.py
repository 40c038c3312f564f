"""The sign-on service of a test's server with other options, for a while."""
from contextlib import contextmanager


@contextmanager
def sign_on_with(server, *options, without=()):
    """The service begins anew with OPTIONS added and WITHOUT left out, and as it was afterwards."""
    process = server.processes["ssod"]
    before = list(process.argv)
    server.stop("ssod")
    process.argv = [a for a in before if a not in without] + list(options)
    server.start("ssod")
    try:
        yield
    finally:
        server.stop("ssod")
        process.argv = before
        server.start("ssod")
