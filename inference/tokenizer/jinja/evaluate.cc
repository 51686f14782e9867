#include "inference/tokenizer/jinja/evaluate.h"

#include "inference/tokenizer/jinja/builtins.h"
#include "inference/tokenizer/jinja/scopes.h"

namespace portcullis::inference::jinja {
namespace {

constexpr size_t kMaxOutput = 32 * 1024 * 1024;
constexpr int kMaxDepth = 200;
// Of containers in containers: what walks over values, and what frees them, may recurse.
constexpr uint32_t kMaxHeight = 128;
constexpr size_t kNamedStep = 16;  // named arguments looked at for the price of a step

enum class Flow { kOn, kBreak, kContinue };

class Evaluator {
 public:
  Evaluator(const Dict& variables, std::time_t now, Meter& meter)
      : now_(now), scopes_(variables), meter_(meter) {}

  Result<Text> Run(const Node& root) {
    Text out;
    BOOST_OUTCOME_TRY(Execute(root, out));
    return out;
  }

 private:
  static Error At(const Node& node, const std::string& what) {
    return BadTemplate(node.line, what);
  }

  Result<void> Count(const Node& node) {
    meter_.set_line(node.line);
    return meter_.Steps(1);
  }

  Result<void> Write(const Node& node, const Value& value, Text& out) {
    BOOST_OUTCOME_TRY(const Value printed, Printed(value, meter_));
    const TextView text = *printed.text();
    if (out.bytes.size() + text.bytes.size() > kMaxOutput)
      return At(node, "it writes more than 32 MiB");
    BOOST_OUTCOME_TRY(meter_.MakeText(text.bytes.size()));
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
        BOOST_OUTCOME_TRY(Write(node, node.value, out));
        return Flow::kOn;
      }
      case Kind::kOutput: {
        BOOST_OUTCOME_TRY(const Value value, Evaluate(*node.children[0]));
        if (!value.Is<None>()) {
          BOOST_OUTCOME_TRY(Write(node, value, out));
        }
        return Flow::kOn;
      }
      case Kind::kSet: {
        BOOST_OUTCOME_TRY(const Value value, SetValue(*node.children[1]));
        BOOST_OUTCOME_TRY(Assign(*node.children[0], value));
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
        BOOST_OUTCOME_TRY(scopes_.Set(node.name, Value(Value::Data(macro)), meter_));
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

  Result<void> Assign(const Node& target, const Value& value) {
    BOOST_OUTCOME_TRY(Count(target));
    if (target.kind == Kind::kName) return scopes_.Set(target.name, value, meter_);
    if (target.kind == Kind::kMember) {
      BOOST_OUTCOME_TRY(const Value object, Evaluate(*target.children[0]));
      Namespace* space = object.space();
      if (space == nullptr) return At(target, "only a namespace has members to set");
      if (value.shape().holds_namespace) return At(target, "a namespace cannot hold a namespace");
      BOOST_OUTCOME_TRY(ChargeLookup(space->members, target.name, meter_));
      space->members.Set(Text(target.name, false), value);
      return boost::outcome_v2::success();
    }
    const List* list = value.list();
    if (list == nullptr || list->size() != target.children.size()) {
      return At(target, "a value cannot be taken apart into these names");
    }
    for (size_t i = 0; i < target.children.size(); ++i) {
      const Value part = i < list->size() ? (*list)[i] : Value();
      BOOST_OUTCOME_TRY(Assign(*target.children[i], part));
    }
    return boost::outcome_v2::success();
  }

  static Value LoopState(const List& items, size_t count, size_t i) {
    const auto number = [](size_t n) { return Value::Of(static_cast<int64_t>(n)); };
    Dict loop;
    const auto set = [&](std::string_view name, Value value) {
      loop.items.emplace_back(Text(name, false), std::move(value));
    };
    set("index", number(i + 1));
    set("index0", number(i));
    set("first", Value::Of(i == 0));
    set("last", Value::Of(i + 1 == count));
    set("length", number(count));
    set("revindex", number(count - i));
    set("revindex0", number(count - i - 1));
    set("previtem", i == 0 ? Value() : items[i - 1]);
    set("nextitem", i + 1 == count ? Value() : items[i + 1]);
    return Value::Of(std::move(loop));
  }

  // The elements that the condition lets through.
  Result<Value> Filtered(const Node& node, const Value& all) {
    const Node* condition = node.children[2].get();
    if (condition == nullptr) return all;
    List wanted;
    for (size_t i = 0; i < all.list()->size(); ++i) {
      const Value item = (*all.list())[i];
      BOOST_OUTCOME_TRY(Assign(*node.children[0], item));
      BOOST_OUTCOME_TRY(const Value good, Evaluate(*condition));
      BOOST_OUTCOME_TRY(meter_.Make(sizeof(Value)));
      if (good.truthy()) wanted.push_back(item);
    }
    return Value::Of(std::move(wanted));
  }

  // A list that grows meanwhile is gone through as far as it reached at first.
  Result<Flow> For(const Node& node, Text& out) {
    BOOST_OUTCOME_TRY(const Value iterable, Evaluate(*node.children[1]));
    BOOST_OUTCOME_TRY(const Value all, Elements(iterable, meter_));
    scopes_.Push();
    BOOST_OUTCOME_TRY(const Value chosen, Filtered(node, all));
    const List& items = *chosen.list();
    const size_t count = items.size();
    for (size_t i = 0; i < count; ++i) {
      BOOST_OUTCOME_TRY(Count(node));
      scopes_.Clear();
      const Value item = items[i];
      BOOST_OUTCOME_TRY(scopes_.Set("loop", LoopState(items, count, i), meter_));
      BOOST_OUTCOME_TRY(Assign(*node.children[0], item));
      BOOST_OUTCOME_TRY(const Flow flow, Execute(*node.children[3], out));
      if (flow == Flow::kBreak) break;
    }
    scopes_.Pop();
    if (count == 0 && node.children.size() > 4) return Execute(*node.children[4], out);
    return Flow::kOn;
  }

  Result<Value> Evaluate(const Node& node) {
    BOOST_OUTCOME_TRY(Count(node));
    if (depth_ >= kMaxDepth) return At(node, "it calls itself too deeply");
    ++depth_;
    auto result = EvaluateAt(node);
    --depth_;
    if (result && result.value().shape().height > kMaxHeight) {
      return At(node, "its values are nested too deeply");
    }
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
          BOOST_OUTCOME_TRY(const Value name, Printed(key, meter_));
          BOOST_OUTCOME_TRY(meter_.MakeText(name.text()->bytes.size()));
          BOOST_OUTCOME_TRY(ChargeLookup(dict, name.text()->bytes, meter_));
          Text text;
          text.Append(*name.text());
          dict.Set(text, std::move(value));
        }
        return Value::Of(std::move(dict));
      }
      case Kind::kMember:
      case Kind::kIndex:
        return MemberOrItem(node);
      case Kind::kSlice: {
        BOOST_OUTCOME_TRY(const Value object, Evaluate(*node.children[0]));
        BOOST_OUTCOME_TRY(const Value begin, OrAbsent(node.children[1]));
        BOOST_OUTCOME_TRY(const Value end, OrAbsent(node.children[2]));
        BOOST_OUTCOME_TRY(const Value step, OrAbsent(node.children[3]));
        return SliceOf(object, begin, end, step, meter_);
      }
      case Kind::kCall:
        return Call(node);
      case Kind::kFilter:
      case Kind::kTest: {
        BOOST_OUTCOME_TRY(const Value input, Evaluate(*node.children[0]));
        BOOST_OUTCOME_TRY(const Arguments arguments, ReadArguments(node));
        if (node.kind == Kind::kFilter) return ApplyFilter(node.name, input, arguments, meter_);
        BOOST_OUTCOME_TRY(const bool good, ApplyTest(node.name, input, arguments, meter_));
        return Value::Of(good);
      }
      case Kind::kNot: {
        BOOST_OUTCOME_TRY(const Value value, Evaluate(*node.children[0]));
        return Value::Of(!value.truthy());
      }
      case Kind::kNegate: {
        BOOST_OUTCOME_TRY(const Value value, Evaluate(*node.children[0]));
        const auto* whole = std::get_if<int64_t>(&value.data);
        int64_t negated = 0;
        if (whole != nullptr && !__builtin_sub_overflow(int64_t{0}, *whole, &negated)) {
          return Value::Of(negated);
        }
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

  Result<Value> Lookup(const std::string& name) const {
    BOOST_OUTCOME_TRY(auto found, scopes_.Find(name, meter_));
    const auto function = FindFunction(name);
    if (!found.Is<Undefined>() || !function) return found;
    Callable callable;
    callable.name = *function;
    return Value(Value::Data(callable));
  }

  Result<Value> MemberOrItem(const Node& node) {
    BOOST_OUTCOME_TRY(const Value object, Evaluate(*node.children[0]));
    if (node.kind == Kind::kIndex) {
      BOOST_OUTCOME_TRY(const Value key, Evaluate(*node.children[1]));
      return Item(object, key, meter_);
    }
    return MemberOf(object, node);
  }

  Result<Value> MemberOf(const Value& object, const Node& node) {
    BOOST_OUTCOME_TRY(auto found, Member(object, node.name, meter_));
    if (!found.Is<Undefined>() || !HasMethod(object, node.name)) return found;
    Callable method;
    method.name = node.name;
    method.is_method = true;
    return Value(Value::Data(method));
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
    const Node& target = *node.children[0];
    Value self;
    Value function;
    if (target.kind == Kind::kMember) {
      BOOST_OUTCOME_TRY(self, Evaluate(*target.children[0]));
      BOOST_OUTCOME_TRY(function, MemberOf(self, target));
    } else {
      BOOST_OUTCOME_TRY(function, Evaluate(target));
    }
    const auto* callable = std::get_if<Callable>(&function.data);
    const bool bound = callable != nullptr && callable->is_method && target.kind == Kind::kMember &&
                       callable->name == target.name && HasMethod(self, target.name);
    if (callable == nullptr || (callable->is_method && !bound)) {
      return At(node, "`" + target.name.substr(0, 40) + "` is no function here");
    }
    BOOST_OUTCOME_TRY(const Arguments arguments, ReadArguments(node));
    if (callable->macro != nullptr) return CallMacro(*callable->macro, arguments);
    if (bound) return CallMethod(self, callable->name, arguments, meter_);
    return CallFunction(callable->name, arguments, now_, meter_);
  }

  Result<Value> CallMacro(const Node& macro, const Arguments& arguments) {
    const size_t outer = scopes_.EnterMacro();
    Result<Value> result = MacroBody(macro, arguments);
    if (result) scopes_.LeaveMacro(outer);
    return result;
  }

  Result<Value> MacroBody(const Node& macro, const Arguments& arguments) {
    for (size_t i = 0; i + 1 < macro.children.size(); ++i) {
      const Node& parameter = *macro.children[i];
      BOOST_OUTCOME_TRY(meter_.Steps(arguments.named.size() / kNamedStep));
      Value value;
      if (const Value* given = arguments.Get(i, parameter.name)) {
        value = *given;
      } else if (!parameter.children.empty()) {
        BOOST_OUTCOME_TRY(value, Evaluate(*parameter.children[0]));
      }
      BOOST_OUTCOME_TRY(scopes_.Set(parameter.name, value, meter_));
    }
    Text out;
    BOOST_OUTCOME_TRY(Execute(*macro.children.back(), out));
    return Value::Of(std::move(out));
  }

  Result<Value> Binary(const Node& node) {
    const std::string& sign = node.name;
    BOOST_OUTCOME_TRY(const Value left, Evaluate(*node.children[0]));
    if (sign == "and" && !left.truthy()) return left;
    if (sign == "or" && left.truthy()) return left;
    BOOST_OUTCOME_TRY(const Value right, Evaluate(*node.children[1]));
    if (sign == "and" || sign == "or") return right;
    return Combine(node, left, right, meter_);
  }

  std::time_t now_;
  Scopes scopes_;
  Meter& meter_;
  int depth_ = 0;
};

}  // namespace

Result<Text> Run(const Node& root, const Dict& variables, std::time_t now, Meter& meter) {
  return Evaluator(variables, now, meter).Run(root);
}

Result<Text> Run(const Node& root, const Dict& variables, std::time_t now) {
  Meter meter;
  return Run(root, variables, now, meter);
}

}  // namespace portcullis::inference::jinja
