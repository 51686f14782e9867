// Templates in the shape of families whose own no package carries: the same constructs and marks, in
// our words. What matters is that every construct means what it means to Jinja.
const head = "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}";

export const shapes = {
  'DeepSeek R1': {
    base: 'deepseek_v3',
    template: `${head}{% set ns = namespace(first=true, tool=false, system='') %}{%- for m in messages %}{%- if m['role'] == 'system' %}
{%- set ns.system = m['content'] %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system }}
{%- for m in messages %}{%- if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{%- endif %}
{%- if m['role'] == 'assistant' and 'tool_calls' in m %}{%- for c in m['tool_calls'] %}
{%- if loop.first %}{{ '<｜Assistant｜><｜tool▁calls▁begin｜>' }}{%- else %}{{ '\\n' }}{%- endif %}
{{- '<｜tool▁call▁begin｜>' + c['type'] + '<｜tool▁sep｜>' + c['function']['name'] + '\\n\`\`\`json\\n' + c['function']['arguments'] + '\\n\`\`\`<｜tool▁call▁end｜>' }}
{%- if loop.last %}{{ '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}{%- endif %}{%- endfor %}
{%- elif m['role'] == 'assistant' %}{% set content = m['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}
{{- '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{%- endif %}
{%- if m['role'] == 'tool' %}{{ '<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>' + m['content'] + '<｜tool▁output▁end｜><｜tool▁outputs▁end｜>' }}{%- endif %}
{%- endfor -%}{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}`,
  },
  'DeepSeek V3.1': {
    base: 'deepseek_v3',
    template: `${head}{% if not thinking is defined %}{% set thinking = false %}{% endif %}
{%- set ns = namespace(system='', last=false) -%}
{%- for m in messages -%}{%- if m.role == 'system' -%}{%- set ns.system = (ns.system ~ '\\n\\n' ~ m.content) if ns.system else m.content -%}{%- endif -%}{%- endfor -%}
{{ bos_token }}{{ ns.system }}
{%- for m in messages -%}
  {%- if m.role == 'user' -%}{%- set ns.last = true -%}{{ '<｜User｜>' ~ m.content }}
  {%- elif m.role == 'assistant' and m.tool_calls is defined and m.tool_calls is not none -%}
    {%- if ns.last -%}{{ '<｜Assistant｜></think>' }}{%- endif -%}{%- set ns.last = false -%}
    {%- for c in m.tool_calls -%}
      {%- if loop.index0 == 0 -%}{{ (m.content or '') + '<｜tool▁calls▁begin｜>' }}{%- endif -%}
      {{ '<｜tool▁call▁begin｜>' ~ c.function.name ~ '<｜tool▁sep｜>' ~ c.function.arguments|tojson ~ '<｜tool▁call▁end｜>' }}
    {%- endfor -%}{{ '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}
  {%- elif m.role == 'assistant' -%}
    {%- if ns.last -%}{{ '<｜Assistant｜></think>' }}{%- endif -%}{%- set ns.last = false -%}
    {%- set content = m.content.split('</think>', 1)[1] if '</think>' in m.content else m.content -%}{{ content ~ '<｜end▁of▁sentence｜>' }}
  {%- elif m.role == 'tool' -%}{%- set ns.last = false -%}{{ '<｜tool▁output▁begin｜>' ~ m.content ~ '<｜tool▁output▁end｜>' }}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt and ns.last -%}{{ '<｜Assistant｜>' }}{{ '<think>' if thinking else '</think>' }}{%- endif %}`,
  },
  'Llama 3.1 with tools': {
    base: 'llama3',
    template: `{{- bos_token }}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- endif %}
{#- The system message comes first. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- if tools is not none %}
    {%- if messages | length != 0 %}
        {%- set first = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("There is no first user message") }}
    {%- endif %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' -}}
    {{- 'Respond with {"name": function name, "parameters": dictionary}.\\n\\n' }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}
    {{- first + "<|eot_id|>"}}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- for tool_call in message.tool_calls %}
        {%- set tool_call = tool_call.function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
        {%- endfor %}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
`,
  },
  'Llama 2': {
    base: 'llama2',
    template: `{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must take turns') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}`,
  },
  ChatML: {
    base: 'qwen2_5',
    template: `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`,
  },
  'macros, filters and loops': {
    base: 'qwen2_5',
    template: `{%- macro turn(role, text='') -%}
<|im_start|>{{ role }}
{{ text }}<|im_end|>
{% endmacro -%}
{%- set roles = messages | map(attribute='role') | list %}
{%- set last = namespace(user=-1) %}
{%- for m in messages if m.role == 'user' %}{% set last.user = loop.index0 %}{% endfor %}
{%- for m in messages %}
  {%- if loop.index > 40 %}{% break %}{% endif %}
  {%- if m.content is none %}{% continue %}{% endif %}
  {{- turn(m.role, m.content | trim | replace('Hi', 'Hello')) }}
{%- else %}nothing{% endfor %}
{%- set parts = [roles | join(','), roles | length, roles[-1], roles[::-1] | first, roles[1:3] | tojson, last.user, 7 // 2, 7 % 4, 2 ** 3, -3 | abs] %}
    {% if parts %}
{{ parts | join(' | ') }} {{ 'yes' if 'user' in roles and not ('robot' in roles) else 'no' }}
    {% endif %}
{%- for key, value in {'a': 1, 'b': [true, none, 1.5]}.items() %}{{ key ~ '=' ~ value | tojson }};{% endfor %}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ 'y' if undefined_thing is defined else 'n' }}{{ missing | default('none') }}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`,
  },
};
