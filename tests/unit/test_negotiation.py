from api.negotiation import JSONNegotiation
from api.parsers import StrictJSONParser


def test_there_is_one_way_to_read_a_body(rf):
    parser = StrictJSONParser()

    assert JSONNegotiation().select_parser(rf.post("/"), [parser]) is parser
