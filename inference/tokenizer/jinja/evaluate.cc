#include "inference/tokenizer/jinja/evaluate.h"

#include <algorithm>

#include "inference/tokenizer/jinja/builtins.h"

namespace portcullis::inference::jinja {
namespace {

constexpr uint64_t kMaxSteps = 5'000'000;
constexpr size_t kMaxOutput = 32 * 1024 * 1024;
constexpr int kMaxDepth = 200;

enum class Flow { kOn, kBreak, kContinue };
constexpr std::string_view kFunctions[] = {"raise_exception", "strftime_now", "range", "namespace",
                                           "dict"};

class Evaluator {
 public:
  Evaluator(const Dict& variables, std::time_t now) : now_(now), scopes_{variables} {}

  Result<Text> Run(const Node& root) {
    Text out;
    BOOST_OUTCOME_TRY(Execute(root, out));
    return out;
  }

 private:
  static Error At(const Node& node, const std::string& what) { return BadTemplate(node.line, what); }

  Result<void> Count(const Node& node) {
    if (++steps_ > kMaxSteps) return At(node, "it takes too many steps");
    return boost::outcome_v2::success();
  }

  Result<void> Write(const Node& node, const Text& text, Text& out) {
    if (out.bytes.size() + text.bytes.size() > kMaxOutput) return At(node, "it writes more than 32 MiB");
    out.Append(text);
    return boost::outcome_v2::success();
  }

  Result<Flow> Execute(const Node& node, Text& out) {
    BOOST_OUTCOME_TRY(Count(node));
    if (depth_ >= kMaxDepth) return At(node, "it is nested too deeply");
    ++depth_;
    auto flow = ExecuteAt(node, out);
    --depth_;
    return flow;
  }

  Result<Flow> ExecuteAt(const Node& node, Text& out) {
    switch (node.kind) {
      case Kind::kBlock:
        for (const NodePtr& child : node.children) {
          BOOST_OUTCOME_TRY(const Flow flow, Execute(*child, out));
          if (flow != Flow::kOn) return flow;
        }
        return Flow::kOn;
      case Kind::kLiteral: {
        BOOST_OUTCOME_TRY(Write(node, *node.value.text(), out));
        return Flow::kOn;
      }
      case Kind::kOutput: {
        BOOST_OUTCOME_TRY(const Value value, Evaluate(*node.children[0]));
        if (!value.Is<None>()) {
          BOOST_OUTCOME_TRY(Write(node, value.ToText(), out));
        }
        return Flow::kOn;
      }
      case Kind::kSet: {
        BOOST_OUTCOME_TRY(auto value, SetValue(*node.children[1]));
        BOOST_OUTCOME_TRY(Assign(*node.children[0], std::move(value)));
        return Flow::kOn;
      }
      case Kind::kIf: {
        BOOST_OUTCOME_TRY(const Value condition, Evaluate(*node.children[0]));
        if (condition.truthy()) return Execute(*node.children[1], out);
        if (node.children.size() > 2) return Execute(*node.children[2], out);
        return Flow::kOn;
      }
      case Kind::kFor:
        return For(node, out);
      case Kind::kMacro: {
        Callable macro;
        macro.macro = &node;
        scopes_.back().Set(Text(node.name, false), Value(Value::Data(macro)));
        return Flow::kOn;
      }
      case Kind::kBreak:
        return Flow::kBreak;
      case Kind::kContinue:
        return Flow::kContinue;
      default:
        return At(node, "an expression stands where a statement should");
    }
  }

  Result<Value> SetValue(const Node& node) {
    if (node.kind != Kind::kBlock) return Evaluate(node);
    Text text;
    BOOST_OUTCOME_TRY(Execute(node, text));
    return Value::Of(std::move(text));
  }

  Result<void> Assign(const Node& target, Value value) {
    if (target.kind == Kind::kName) {
      scopes_.back().Set(Text(target.name, false), std::move(value));
    } else if (target.kind == Kind::kMember) {
      BOOST_OUTCOME_TRY(const Value object, Evaluate(*target.children[0]));
      if (object.dict() == nullptr) return At(target, "only a namespace has members to set");
      object.dict()->Set(Text(target.name, false), std::move(value));
    } else {
      const List* list = value.list();
      if (list == nullptr || list->size() != target.children.size()) {
        return At(target, "a value cannot be taken apart into these names");
      }
      const List parts = *list;
      for (size_t i = 0; i < parts.size(); ++i) {
        BOOST_OUTCOME_TRY(Assign(*target.children[i], parts[i]));
      }
    }
    return boost::outcome_v2::success();
  }

  static Value LoopState(const List& items, size_t i) {
    const auto number = [](size_t n) { return Value::Of(static_cast<int64_t>(n)); };
    Dict loop;
    const auto set = [&](std::string_view name, Value value) {
      loop.items.emplace_back(Text(name, false), std::move(value));
    };
    set("index", number(i + 1));
    set("index0", number(i));
    set("first", Value::Of(i == 0));
    set("last", Value::Of(i + 1 == items.size()));
    set("length", number(items.size()));
    set("revindex", number(items.size() - i));
    set("revindex0", number(items.size() - i - 1));
    set("previtem", i == 0 ? Value() : items[i - 1]);
    set("nextitem", i + 1 == items.size() ? Value() : items[i + 1]);
    return Value::Of(std::move(loop));
  }

  Result<Flow> For(const Node& node, Text& out) {
    BOOST_OUTCOME_TRY(const Value iterable, Evaluate(*node.children[1]));
    auto elements = Elements(iterable);
    if (!elements) return At(node, elements.error().message);
    List items;
    const Node* condition = node.children[2].get();
    scopes_.emplace_back();
    for (Value& item : elements.value()) {
      if (condition != nullptr) {
        BOOST_OUTCOME_TRY(Assign(*node.children[0], item));
        BOOST_OUTCOME_TRY(const Value wanted, Evaluate(*condition));
        if (!wanted.truthy()) continue;
      }
      items.push_back(std::move(item));
    }
    for (size_t i = 0; i < items.size(); ++i) {
      BOOST_OUTCOME_TRY(Count(node));
      scopes_.back() = Dict{};
      scopes_.back().Set(Text("loop", false), LoopState(items, i));
      BOOST_OUTCOME_TRY(Assign(*node.children[0], items[i]));
      BOOST_OUTCOME_TRY(const Flow flow, Execute(*node.children[3], out));
      if (flow == Flow::kBreak) break;
    }
    scopes_.pop_back();
    if (items.empty() && node.children.size() > 4) return Execute(*node.children[4], out);
    return Flow::kOn;
  }

  Result<Value> Evaluate(const Node& node) {
    BOOST_OUTCOME_TRY(Count(node));
    if (depth_ >= kMaxDepth) return At(node, "it calls itself too deeply");
    ++depth_;
    auto result = EvaluateAt(node);
    --depth_;
    return result;
  }

  Result<Value> OrAbsent(const NodePtr& node) {
    if (!node) return Value();
    return Evaluate(*node);
  }

  Result<Value> EvaluateAt(const Node& node) {
    switch (node.kind) {
      case Kind::kConstant:
        return node.value;
      case Kind::kName:
        return Lookup(node.name);
      case Kind::kTuple: {
        List list;
        for (const NodePtr& child : node.children) {
          BOOST_OUTCOME_TRY(auto value, Evaluate(*child));
          list.push_back(std::move(value));
        }
        return Value::Of(std::move(list));
      }
      case Kind::kDict: {
        Dict dict;
        for (size_t i = 0; i + 1 < node.children.size(); i += 2) {
          BOOST_OUTCOME_TRY(const Value key, Evaluate(*node.children[i]));
          BOOST_OUTCOME_TRY(auto value, Evaluate(*node.children[i + 1]));
          dict.Set(key.ToText(), std::move(value));
        }
        return Value::Of(std::move(dict));
      }
      case Kind::kMember:
      case Kind::kIndex:
        return Member(node);
      case Kind::kSlice: {
        BOOST_OUTCOME_TRY(const Value object, Evaluate(*node.children[0]));
        BOOST_OUTCOME_TRY(const Value begin, OrAbsent(node.children[1]));
        BOOST_OUTCOME_TRY(const Value end, OrAbsent(node.children[2]));
        BOOST_OUTCOME_TRY(const Value step, OrAbsent(node.children[3]));
        return SliceOf(object, begin, end, step);
      }
      case Kind::kCall:
        return Call(node);
      case Kind::kFilter:
      case Kind::kTest: {
        BOOST_OUTCOME_TRY(const Value input, Evaluate(*node.children[0]));
        BOOST_OUTCOME_TRY(const Arguments arguments, ReadArguments(node));
        if (node.kind == Kind::kFilter) return ApplyFilter(node.name, input, arguments);
        BOOST_OUTCOME_TRY(const bool good, ApplyTest(node.name, input, arguments));
        return Value::Of(good);
      }
      case Kind::kNot: {
        BOOST_OUTCOME_TRY(const Value value, Evaluate(*node.children[0]));
        return Value::Of(!value.truthy());
      }
      case Kind::kNegate: {
        BOOST_OUTCOME_TRY(const Value value, Evaluate(*node.children[0]));
        if (value.Is<int64_t>()) return Value::Of(int64_t{0} - std::get<int64_t>(value.data));
        return Value(Value::Data(-value.number()));
      }
      case Kind::kBinary:
        return Binary(node);
      case Kind::kChoice: {
        BOOST_OUTCOME_TRY(const Value condition, Evaluate(*node.children[0]));
        return condition.truthy() ? Evaluate(*node.children[1]) : OrAbsent(node.children[2]);
      }
      default:
        return At(node, "a statement stands where an expression should");
    }
  }

  Value Lookup(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const Value* found = scope->Find(name)) return *found;
    }
    for (const std::string_view function : kFunctions) {
      if (name == function) {
        Callable callable;
        callable.name = name;
        return Value(Value::Data(callable));
      }
    }
    return {};
  }

  Result<Value> Member(const Node& node) {
    BOOST_OUTCOME_TRY(const Value object, Evaluate(*node.children[0]));
    const bool by_name = node.kind == Kind::kMember;
    Value key = Value::Of(Text(node.name, false));
    if (!by_name) {
      BOOST_OUTCOME_TRY(key, Evaluate(*node.children[1]));
    }
    Value found = Item(object, key);
    if (!found.Is<Undefined>() || !by_name) return found;
    if (HasMethod(object, node.name)) {
      Callable method;
      method.name = node.name;
      method.self = std::make_shared<Value>(object);
      return Value(Value::Data(method));
    }
    return found;
  }

  // The children after the first.
  Result<Arguments> ReadArguments(const Node& node) {
    Arguments arguments;
    for (size_t i = 1; i < node.children.size(); ++i) {
      const Node& child = *node.children[i];
      const bool named = child.kind == Kind::kKeyword;
      BOOST_OUTCOME_TRY(auto value, Evaluate(named ? *child.children[0] : child));
      if (named) {
        arguments.named.emplace_back(child.name, std::move(value));
      } else {
        arguments.values.push_back(std::move(value));
      }
    }
    return arguments;
  }

  Result<Value> Call(const Node& node) {
    BOOST_OUTCOME_TRY(const Value function, Evaluate(*node.children[0]));
    const auto* callable = std::get_if<Callable>(&function.data);
    if (callable == nullptr) {
      return At(node, "`" + node.children[0]->name.substr(0, 40) + "` is no function here");
    }
    BOOST_OUTCOME_TRY(const Arguments arguments, ReadArguments(node));
    if (callable->macro != nullptr) return CallMacro(*callable->macro, arguments);
    if (callable->self) return CallMethod(*callable->self, callable->name, arguments);
    return CallFunction(node, callable->name, arguments);
  }

  Result<Value> CallMacro(const Node& macro, const Arguments& arguments) {
    std::vector<Dict> outer;
    outer.swap(scopes_);
    scopes_ = {outer.front(), Dict{}};
    Result<Value> result = MacroBody(macro, arguments);
    scopes_.swap(outer);
    return result;
  }

  Result<Value> MacroBody(const Node& macro, const Arguments& arguments) {
    for (size_t i = 0; i + 1 < macro.children.size(); ++i) {
      const Node& parameter = *macro.children[i];
      Value value;
      if (const Value* given = arguments.Get(i, parameter.name)) {
        value = *given;
      } else if (!parameter.children.empty()) {
        BOOST_OUTCOME_TRY(value, Evaluate(*parameter.children[0]));
      }
      scopes_.back().Set(Text(parameter.name, false), std::move(value));
    }
    Text out;
    BOOST_OUTCOME_TRY(Execute(*macro.children.back(), out));
    return Value::Of(std::move(out));
  }

  Result<Value> CallFunction(const Node& node, std::string_view name, const Arguments& arguments) {
    const Value* first = arguments.Get(0);
    if (name == "raise_exception") {
      const Text words = first == nullptr ? Text() : first->ToText();
      return Error{Code::kBadTemplate,
                   "the model's chat template cannot express these messages: " +
                       (words.any_from_data() ? std::string("it refuses them") : words.bytes.substr(0, 200))};
    }
    if (name == "strftime_now") {
      const std::string format = first == nullptr ? "%Y-%m-%d" : first->ToText().bytes;
      std::tm parts = {};
      gmtime_r(&now_, &parts);
      char text[128] = {};
      std::strftime(text, sizeof text, format.c_str(), &parts);
      return Value::Of(Text(text, false));
    }
    if (name == "range") {
      const auto whole = [&](size_t i, double absent) {
        const Value* value = arguments.Get(i);
        return static_cast<int64_t>(std::clamp(value == nullptr ? absent : value->number(), -1e6, 1e6));
      };
      const bool two = arguments.values.size() > 1;
      const int64_t end = whole(two ? 1 : 0, 0);
      const int64_t step = whole(2, 1);
      if (step == 0) return At(node, "range with step 0");
      List list;
      for (int64_t i = two ? whole(0, 0) : 0; step > 0 ? i < end : i > end; i += step) {
        BOOST_OUTCOME_TRY(Count(node));
        list.push_back(Value::Of(i));
      }
      return Value::Of(std::move(list));
    }
    Dict dict;  // namespace(…) and dict(…)
    for (const auto& [key, value] : arguments.named) dict.Set(Text(key, false), value);
    return Value::Of(std::move(dict));
  }

  Result<Value> Binary(const Node& node) {
    const std::string& sign = node.name;
    BOOST_OUTCOME_TRY(const Value left, Evaluate(*node.children[0]));
    if (sign == "and" && !left.truthy()) return left;
    if (sign == "or" && left.truthy()) return left;
    BOOST_OUTCOME_TRY(const Value right, Evaluate(*node.children[1]));
    if (sign == "and" || sign == "or") return right;
    return Combine(node, left, right);
  }

  std::time_t now_;
  std::vector<Dict> scopes_;  // the template's own variables first
  uint64_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Text> Run(const Node& root, const Dict& variables, std::time_t now) {
  return Evaluator(variables, now).Run(root);
}

}  // namespace portcullis::inference::jinja
