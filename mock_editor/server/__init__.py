"""The server: gunicorn without its command line, and a threaded worker that no client can stall.

It overrides internals of gunicorn, hence the pin below 28; tests/server/test_gunicorn.py names each of them. What stock
gunicorn lacks: deadlines for receiving a request's head and for sending an answer, closing a connection without
stalling the accept loop, a quick stop, refusals as OperationOutcome, a second listener with TLS beside one without, and
workers that keep serving when one of them cannot start.
"""
