// What the scripted upstream is asked and says.

export const QUESTION = "How is the weather in Oslo?";
export const TEXT = "It is sunny in Oslo.";
export const MODEL = "scripted";
export const SHAPE = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const weather = ({ city }) => `sunny in ${city}`;
