package main

import (
	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func anthropicStream(url string) {
	client := anthropic.NewClient(option.WithBaseURL(url), option.WithAPIKey("unused"), option.WithMaxRetries(0))
	properties := map[string]any{"city": map[string]any{"type": "string"}}
	schema := anthropic.ToolInputSchemaParam{Properties: properties, Required: []string{"city"}}
	messages := []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(question))}
	answer := func() (whole anthropic.Message) {
		stream := client.Messages.NewStreaming(ctx, anthropic.MessageNewParams{
			Model:     model,
			MaxTokens: 100,
			Messages:  messages,
			Tools:     []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(schema, "weather")},
		})
		for stream.Next() {
			must(whole.Accumulate(stream.Current()))
		}
		must(stream.Err())
		return whole
	}
	first := answer()
	same(string(first.StopReason), "tool_use")
	call := first.Content[len(first.Content)-1].AsToolUse()
	same(city(string(call.Input)), "Oslo")
	messages = append(messages, first.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(call.ID, result, false)))
	last := answer()
	same(string(last.StopReason), "end_turn")
	same(last.Content[0].AsText().Text, text)
}
