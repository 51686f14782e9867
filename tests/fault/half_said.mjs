// Answers that are sure to be on their way when something is made to fail.

// `count` answers half said: their first words are here, the engine stands still (SIGSTOP), and the log holds
// their requests without an end. An answer that was over sooner is read to its end, and another one begun.
// What follows lets the engine go on, or kills it.
export async function halfSaid(box, count = 1) {
  for (let attempt = 0; attempt < 20; ++attempt) {
    const answers = await Promise.all(Array.from({length: count}, async () => {
      const answer = new Answer(await box.client().chat.completions.create(box.endless()));
      while (!answer.answer && !answer.reasoning && await answer.next());
      return answer;
    }));
    box.kill('engine', 'SIGSTOP');
    if ((await box.verify()).report?.open_requests === count) return answers;
    box.kill('engine', 'SIGCONT');
    await Promise.all(answers.map((answer) => answer.rest()));
  }
  throw new Error('every answer was over before the engine could be stopped');
}

// `answer` and `reasoning`: what was said so far.
class Answer {
  #iterator;
  #finish;
  answer = '';
  reasoning = '';
  constructor(stream) { this.#iterator = stream[Symbol.asyncIterator](); }

  async next() {
    const {done, value} = await this.#iterator.next();
    const choice = value?.choices[0];
    this.answer += choice?.delta?.content ?? '';
    this.reasoning += choice?.delta?.reasoning_content ?? '';
    this.#finish = choice?.finish_reason ?? this.#finish;
    return !done;
  }

  // Reads to the end: {finish}, undefined where the stream ended without one, or {error}.
  async rest() {
    try {
      while (await this.next());
      return {finish: this.#finish};
    } catch (error) { return {error}; }
  }
}
