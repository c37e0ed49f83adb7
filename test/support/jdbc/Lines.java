import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** One command per input line (tab-separated fields, each URL-encoded: verb, then its arguments), one JSON answer per output line. */
final class Lines {
  interface Handler {
    /** A value that {@link #json} spells. */
    Object answer(String[] fields) throws Exception;
  }

  private Lines() {}

  /** Returns at the end of the input. Every failure is an answer. */
  static void serve(Handler handler) throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = System.out;
    System.setOut(new PrintStream(System.err)); // a library that prints must not break the protocol
    for (String line; (line = in.readLine()) != null; ) {
      String[] fields = line.split("\t", -1);
      for (int i = 0; i < fields.length; i++) fields[i] = URLDecoder.decode(fields[i], StandardCharsets.UTF_8);
      String answer;
      try {
        answer = "{\"value\":" + json(handler.answer(fields)) + "}";
      } catch (Throwable error) {
        answer = "{\"error\":" + json(messages(error)) + "}";
      }
      out.write((answer + "\n").getBytes(StandardCharsets.UTF_8));
      out.flush();
    }
  }

  /** {"columns": [[label, type name, SQL type]…], "rows": [[value…]…]}; every value as text, NULL as null. Closes the result. */
  static Object result(ResultSet result) throws SQLException {
    try (ResultSet r = result) {
      ResultSetMetaData m = r.getMetaData();
      var columns = new ArrayList<Object>();
      for (int i = 1; i <= m.getColumnCount(); i++)
        columns.add(List.of(m.getColumnLabel(i), m.getColumnTypeName(i), m.getColumnType(i)));
      var rows = new ArrayList<Object>();
      while (r.next()) {
        var row = new String[columns.size()];
        for (int i = 0; i < row.length; i++) row[i] = spell(r.getObject(i + 1));
        rows.add(Arrays.asList(row));
      }
      return Map.of("columns", columns, "rows", rows);
    }
  }

  private static String spell(Object value) {
    return value instanceof byte[] bytes ? HexFormat.of().formatHex(bytes) : value == null ? null : String.valueOf(value);
  }

  static String json(Object value) {
    if (value == null || value instanceof Boolean || value instanceof Integer || value instanceof Long) return String.valueOf(value);
    if (value instanceof Collection<?> list) return list.stream().map(Lines::json).collect(Collectors.joining(",", "[", "]"));
    if (value instanceof Map<?, ?> map)
      return map.entrySet().stream().map(e -> json(e.getKey()) + ":" + json(e.getValue())).collect(Collectors.joining(",", "{", "}"));
    return text(String.valueOf(value));
  }

  static String messages(Throwable error) {
    var out = new StringBuilder();
    for (Throwable t = error; t != null; t = t.getCause()) out.append(out.length() > 0 ? " | " : "").append(t);
    return out.toString();
  }

  private static String text(String value) {
    var out = new StringBuilder("\"");
    for (char c : value.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20 || c > 0x7e) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }
}
