"""Google's SDK, 2 and 3: a function that it calls itself, a stream, a chat, and an answer of a given shape."""

from google import genai
from google.genai import types
from scripts.said import ANN, KEY, MODEL, QUESTION, SHAPE, TEXT, Person, weather


def client(gateway):
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=gateway))


def tool(url):
    config = types.GenerateContentConfig(tools=[weather])
    # Named: a client that nothing holds closes itself before it asks.
    sdk = client(url)
    answer = sdk.models.generate_content(model=MODEL, contents=QUESTION, config=config)
    assert answer.text == TEXT
    assert answer.usage_metadata.candidates_token_count == 5
    return {"asked": 2, "result": "sunny in Oslo"}


def stream(url):
    declared = types.FunctionDeclaration(name="weather", description="The weather.", parameters_json_schema=SHAPE)
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])])
    sdk = client(url)
    chat = sdk.chats.create(model=MODEL, config=config)
    calls = [call for piece in chat.send_message_stream(QUESTION) for call in piece.function_calls or []]
    assert [(call.name, call.args) for call in calls] == [("weather", {"city": "Oslo"})]
    result = types.Part.from_function_response(name="weather", response={"result": weather(**calls[0].args)})
    assert "".join(piece.text or "" for piece in chat.send_message_stream(result)) == TEXT
    return {"asked": 2, "result": "sunny in Oslo", "streamed": True}


def schema(url):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
    sdk = client(url)
    assert sdk.models.generate_content(model=MODEL, contents=QUESTION, config=config).parsed == ANN
    return {"asked": 1, "shape": "response_format"}
