package main

import (
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

var shape = map[string]any{
	"type":       "object",
	"properties": map[string]any{"city": map[string]any{"type": "string"}},
	"required":   []string{"city"},
}

func openaiClient(url string) openai.Client {
	return openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey("unused"), option.WithMaxRetries(0))
}

func openaiChatStream(url string) {
	client := openaiClient(url)
	asked := openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
		Tools: []openai.ChatCompletionToolUnionParam{
			openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: "weather", Parameters: shape}),
		},
	}
	answer := func() openai.ChatCompletionMessage {
		stream := client.Chat.Completions.NewStreaming(ctx, asked)
		whole := openai.ChatCompletionAccumulator{}
		for stream.Next() {
			if !whole.AddChunk(stream.Current()) {
				panic("a chunk does not fit")
			}
		}
		must(stream.Err())
		return whole.Choices[0].Message
	}
	message := answer()
	call := message.ToolCalls[0]
	same(city(call.Function.Arguments), "Oslo")
	asked.Messages = append(asked.Messages, message.ToParam(), openai.ToolMessage(result, call.ID))
	same(answer().Content, text)
}

func openaiResponsesStream(url string) {
	client := openaiClient(url)
	items := responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage(question, responses.EasyInputMessageRoleUser),
	}
	answer := func() (whole responses.Response) {
		stream := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
			Model: model,
			Input: responses.ResponseNewParamsInputUnion{OfInputItemList: items},
			Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", shape, false)},
			Store: openai.Bool(false),
		})
		for stream.Next() {
			if event := stream.Current(); event.Type == "response.completed" {
				whole = event.AsResponseCompleted().Response
			}
		}
		must(stream.Err())
		return whole
	}
	for _, item := range answer().Output {
		call := item.AsFunctionCall()
		same(city(call.Arguments), "Oslo")
		items = append(items,
			responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name),
			responses.ResponseInputItemUnionParam{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{
				CallID: openai.String(call.CallID),
				Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: openai.String(result)},
			}})
	}
	last := answer()
	same(last.OutputText(), text)
}
