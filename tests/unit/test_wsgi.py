from wsgiref.util import setup_testing_defaults


def test_the_wsgi_entry_answers(db):
    from config.wsgi import application  # importing it is part of what is tested

    environ = {"PATH_INFO": "/health/live"}
    setup_testing_defaults(environ)
    statuses = []

    def start_response(status, headers, exc_info=None):
        statuses.append(status)
        return lambda data: None

    body = application(environ, start_response)

    assert statuses == ["200 OK"]
    assert b"".join(body) == b'{"status":"alive"}'
