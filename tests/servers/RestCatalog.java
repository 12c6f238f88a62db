import java.net.InetSocketAddress;
import java.util.Properties;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.relocated.com.google.common.collect.Maps;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;

/** Iceberg's own REST catalog at `host port`; its properties come on standard input, since one is a password. */
public class RestCatalog {
    public static void main(String[] arguments) throws Exception {
        var properties = new Properties();
        properties.load(System.in);
        var catalog = CatalogUtil.buildIcebergCatalog("rest", Maps.fromProperties(properties), null);
        var context = new ServletContextHandler();
        context.addServlet(new ServletHolder(new RESTCatalogServlet(new RESTCatalogAdapter(catalog))), "/*");
        var server = new Server(new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1])));
        server.setHandler(context);
        server.start();
        server.join();
    }
}
