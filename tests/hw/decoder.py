"""A randomly initialised decoder with a static key-value cache, and the loop that serves it.

Nothing is learned, so nothing it says means anything; its work is that of a real decoder of the same
shape: matrix products over all weights for every step, attention over what each request has so far.
Tokens of a prompt are the bytes of its UTF-8 text. Decoding is greedy.

Requests that are being answered occupy the first slots of the cache. A step decodes all of them
together; between two steps those that are done leave (the last slot moves into the hole) and those that
wait come in, each with a prefill of its own. On CUDA a step is one graph, captured before the first
request for each power of two of slots and each length of the cache in steps of LENGTH_STEP, so that the
processor that launches kernels does not set the pace (with eager it may).
"""
import collections
import threading
import time

LENGTH_STEP = 512
END = 0  # the token that ends an answer


class Toy:
    """No model: the same interface in the time that it is told to take. For tests of the server."""

    device = "no device"

    def __init__(self, slots, context, step_s):
        self.slots, self.context, self.step_s = slots, context, step_s
        self.state = [0] * slots

    def next(self, slot):
        self.state[slot] = (self.state[slot] * 1103515245 + 12345) % 2**31
        return 1 + self.state[slot] % 30000

    def prefill(self, slot, tokens):
        time.sleep(self.step_s)
        self.state[slot] = sum((i + 1) * t for i, t in enumerate(tokens))
        return self.next(slot)

    def step(self, n, _length):
        time.sleep(self.step_s)
        return [self.next(slot) for slot in range(n)]

    def move(self, to, source):
        self.state[to] = self.state[source]


class Decoder:
    def __init__(self, device, layers, width, heads, vocabulary, slots, context, seed,
                 eager=False):
        import torch

        self.torch, self.device = torch, device
        self.slots, self.context = slots, context
        self.heads, self.width, self.layers = heads, width, layers
        cuda = device.startswith("cuda")
        self.type = torch.bfloat16 if cuda else torch.float32
        self.graphed = cuda and not eager
        self.random = torch.Generator(device=device).manual_seed(seed)
        self.embed, self.head = self.weight(vocabulary, width), self.weight(vocabulary, width)
        self.place = self.weight(context, width)
        self.blocks = [(self.weight(3 * width, width), self.weight(width, width),
                        self.weight(4 * width, width), self.weight(width, 4 * width))
                       for _ in range(layers)]
        self.cache = torch.zeros(layers, 2, slots, heads, context, width // heads, device=device,
                                 dtype=self.type)
        self.tokens = torch.zeros(slots, device=device, dtype=torch.int64)
        self.lengths = torch.zeros(slots, device=device, dtype=torch.int64)
        self.rows = torch.arange(slots, device=device)
        self.columns = torch.arange(context, device=device)
        self.graphs = {}
        with torch.inference_mode():
            self.prefill(0, [1] * min(64, context - 1))
            if self.graphed:
                self.capture_all()
            else:
                self.decode(1, context)

    def weight(self, rows, columns):
        torch = self.torch
        made = torch.empty(rows, columns, device=self.device, dtype=self.type)
        return made.normal_(std=columns**-0.5, generator=self.random)

    def parameters(self):
        weights = [self.embed, self.head, self.place] + [w for block in self.blocks for w in block]
        return sum(w.numel() for w in weights)

    def norm(self, x):
        return self.torch.nn.functional.rms_norm(x, (self.width,))

    def forward(self, x, attend):
        """x: batch, tokens, width; attend(layer, q, k, v), each batch, tokens, heads, rest."""
        f = self.torch.nn.functional
        for i, (qkv, out, up, down) in enumerate(self.blocks):
            q, k, v = f.linear(self.norm(x), qkv).view(*x.shape[:2], 3, self.heads, -1).unbind(2)
            y = attend(i, q, k, v).transpose(1, 2).reshape(x.shape)
            x = x + f.linear(y, out)
            x = x + f.linear(f.gelu(f.linear(self.norm(x), up)), down)
        return f.linear(self.norm(x[:, -1]), self.head).argmax(-1)

    def prefill(self, slot, tokens):
        """The whole prompt into a slot; the first token of its answer."""
        torch = self.torch
        n = len(tokens)

        def attend(i, q, k, v):
            q, k, v = (t.transpose(1, 2) for t in (q, k, v))
            self.cache[i, 0, slot, :, :n], self.cache[i, 1, slot, :, :n] = k[0], v[0]
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

        with torch.inference_mode():
            given = torch.tensor(tokens, device=self.device)
            token = self.forward((self.embed[given] + self.place[:n])[None], attend)
            self.tokens[slot:slot + 1] = token
            self.lengths[slot] = n
            return int(token)

    def decode(self, n, length):
        """One more token for the first n slots, of which none has reached this length."""
        torch = self.torch
        at, rows = self.lengths[:n], self.rows[:n]
        seen = (self.columns[:length] <= at[:, None])[:, None, None, :]

        def attend(i, q, k, v):
            self.cache[i, 0][rows, :, at] = k[:, 0]
            self.cache[i, 1][rows, :, at] = v[:, 0]
            return torch.nn.functional.scaled_dot_product_attention(
                q.transpose(1, 2), self.cache[i, 0, :n, :, :length],
                self.cache[i, 1, :n, :, :length], attn_mask=seen)

        token = self.forward((self.embed[self.tokens[:n]] + self.place[at])[:, None], attend)
        self.tokens[:n] = token
        # slots beyond those in use are decoded too, and must stay inside the cache
        self.lengths[:n] = (at + 1).clamp(max=self.context - 1)

    def capture_all(self):
        torch, pool = self.torch, None
        n = 1
        while n < 2 * self.slots:
            rows = min(n, self.slots)
            for length in range(LENGTH_STEP, self.context + LENGTH_STEP, LENGTH_STEP):
                length = min(length, self.context)
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    self.decode(rows, length)
                torch.cuda.current_stream().wait_stream(side)
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, pool=pool):
                    self.decode(rows, length)
                pool = pool or graph.pool()
                self.graphs[rows, length] = graph
            n *= 2
        torch.cuda.synchronize()

    def step(self, n, longest):
        """One token for each of the first n slots; longest: the most tokens that one has so far."""
        with self.torch.inference_mode():
            length = min(-(-(longest + 1) // LENGTH_STEP) * LENGTH_STEP, self.context)
            if self.graphed:
                self.graphs[min(1 << (n - 1).bit_length(), self.slots), length].replay()
            else:
                self.decode(n, length)
            return self.tokens[:n].tolist()

    def move(self, to, source):
        with self.torch.inference_mode():
            self.cache[:, :, to] = self.cache[:, :, source]
            self.tokens[to] = self.tokens[source]
            self.lengths[to] = self.lengths[source]


class Request:
    """What is asked for, and how far it is. deliver gets (request, token, finish), finish None, "stop"
    or "length"; whoever asked sets gone when nobody listens any more."""

    def __init__(self, prompt, max_tokens, ignore_eos):
        self.prompt, self.max_tokens, self.ignore_eos = prompt, max_tokens, ignore_eos
        self.answered, self.gone = 0, False


class Engine(threading.Thread):
    """Serves requests on a thread of its own; deliver is called once for each step, with a list."""

    def __init__(self, model, deliver, failed, host_s=0.0):
        """host_s: after every step the processor works for so long while the device has nothing to do."""
        super().__init__(daemon=True)
        self.model, self.deliver, self.failed, self.host_s = model, deliver, failed, host_s
        self.waiting, self.active = collections.deque(), []
        self.news = threading.Condition()
        self.steps = self.prefills = 0

    def add(self, request):
        with self.news:
            self.waiting.append(request)
            self.news.notify()

    def run(self):
        try:
            while True:
                self.turn()
        except Exception as problem:  # the server must not go on without its engine
            self.failed(problem)

    def finish_of(self, request, token):
        if token == END and not request.ignore_eos:
            return "stop"
        return "length" if request.answered >= request.max_tokens else None

    def answer(self, request, token):
        request.answered += 1
        finish = self.finish_of(request, token)
        self.deliver([(request, token, finish)])
        return finish is None

    def admit(self):
        while self.waiting and len(self.active) < self.model.slots:
            request = self.waiting.popleft()
            if request.gone:
                continue
            token = self.model.prefill(len(self.active), request.prompt)
            self.prefills += 1
            if self.answer(request, token):
                self.active.append(request)

    def leave(self, stays):
        """Keeps the slots that are in use together at the front."""
        for slot in reversed([i for i, stay in enumerate(stays) if not stay]):
            last = len(self.active) - 1
            if slot < last:
                self.model.move(slot, last)
                self.active[slot] = self.active[last]
            self.active.pop()

    def turn(self):
        with self.news:
            while not self.waiting and not self.active:
                self.news.wait()
        self.admit()
        if not self.active:
            return
        longest = max(len(r.prompt) + r.answered - 1 for r in self.active)
        tokens = self.model.step(len(self.active), longest)
        self.steps += 1
        until = time.monotonic() + self.host_s
        while time.monotonic() < until:
            pass
        news, stays = [], []
        for request, token in zip(self.active, tokens):
            request.answered += 1
            finish = self.finish_of(request, token)
            news.append((request, token, finish))
            stays.append(finish is None and not request.gone)
        self.deliver(news)
        self.leave(stays)
