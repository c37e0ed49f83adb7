import org.apache.arrow.flight.FlightServer;
import org.apache.arrow.flight.Location;
import org.apache.arrow.flight.sql.example.FlightSqlExample;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;

/** Arrow Java's example server over Derby on a free loopback port, which it prints; ends when its input ends. */
public final class DerbyServer {
  public static void main(String[] args) throws Exception {
    Location location = Location.forGrpcInsecure("127.0.0.1", 0);
    try (BufferAllocator allocator = new RootAllocator();
        FlightSqlExample example = new FlightSqlExample(location, args[0]);
        FlightServer server = FlightServer.builder(allocator, location, example).build().start()) {
      System.out.println("listening on " + server.getPort());
      System.in.transferTo(java.io.OutputStream.nullOutputStream());
    }
    System.exit(0);
  }
}
